import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { NodeNetwork } from '../../../src/core/network/node-network.ts';
import { nodeAddress, planNft, planNftRemoval } from '../../../src/core/network/plan-nft.ts';

const network: NodeNetwork = {
  privateKey: 'secret',
  port: 51820,
  probePort: 7445,
  podCidr: '10.244.0.0/24',
  prefix: '100.64.7.0/24',
  reachable: ['10.244.0.5', '10.244.0.6'],
  serviceCidrs: ['10.96.0.0/12'],
  peers: [{ publicKey: 'B', prefix: '100.64.2.0/24', path: 'udp', endpoint: '192.0.2.2:51820' }],
};

function hasNft(): boolean {
  try {
    execFileSync('nft', ['--version']);
    return true;
  } catch {
    return false;
  }
}

describe('the packet rules', () => {
  it('map both ways, and give the node the address that no pod can have', () => {
    const rules = planNft(network);
    expect(rules).toContain('dnat ip prefix to ip daddr map { 100.64.7.0/24 : 10.244.0.0/24 }');
    expect(rules).toContain('snat ip prefix to ip saddr map { 10.244.0.0/24 : 100.64.7.0/24 }');
    expect(rules).toContain('snat to 100.64.7.0\n');
    expect(nodeAddress('100.64.7.0/24')).toBe('100.64.7.0');
  });

  it('are one transaction that touches no table but our own', () => {
    const tables = [...`${planNft(network)}\n${planNftRemoval()}`.matchAll(/table (\S+ \S+)/g)].map(
      (match) => match[1],
    );
    expect(new Set(tables)).toEqual(new Set(['ip headcut', 'ip6 headcut']));
  });

  it('let peers open connections to reachable pods only', () => {
    expect(planNft(network)).toContain('elements = { 10.244.0.5, 10.244.0.6 }');
    expect(planNft(network)).toContain('iifname "headcut0" ip daddr != @reachable ct state new drop');
    expect(planNft({ ...network, reachable: undefined })).not.toContain('reachable');
  });

  it('hold up a connection to a Service that kube-proxy has no rule for yet', () => {
    const rule = 'ip daddr { 10.96.0.0/12 } ct state new ct status & dnat != dnat drop';
    expect(planNft(network)).toContain(`ip saddr @reachable ${rule}`);
    expect(planNft({ ...network, reachable: undefined })).toContain(`ip saddr 10.244.0.0/24 ${rule}`);
    expect(planNft({ ...network, serviceCidrs: [] })).not.toContain('untranslated');
  });

  const home = {
    guests: ['10.244.0.9'],
    podCidr: '10.42.0.0/24',
    prefix: '100.64.2.0/24',
    services: [
      { home: '10.43.0.7', here: '10.96.0.9', empty: false },
      { home: '10.43.0.8', here: '10.96.0.10', empty: true },
    ],
  };

  it('lead what guests send to addresses of their home there, but for what is opened to them here', () => {
    const rules = planNft({ ...network, homes: [home], local: ['10.42.0.0/30'] });
    expect(rules).toContain('ip saddr vmap { 10.244.0.9 : jump home-0 }');
    expect(rules).toContain('dnat ip prefix to ip daddr map { 10.42.0.0/24 : 100.64.2.0/24 }');
    expect(rules).toContain('ip daddr set ip daddr map { 10.43.0.7 : 10.96.0.9 }');
    expect(rules).toContain('ip daddr { 10.43.0.8 } reject');
    expect(rules.match(/ip daddr \{ 10\.42\.0\.0\/30 \} return/g)).toHaveLength(2);
    expect(planNft(network)).not.toContain('home');
  });

  it('do not depend on the members, and hold no secret', () => {
    expect(planNft({ ...network, peers: [] })).toBe(planNft(network));
    expect(planNft(network)).not.toContain('secret');
  });

  it.runIf(hasNft() && process.getuid?.() === 0)('are understood by nft', () => {
    const variants = [undefined, [], ['10.244.0.5']].map((reachable) => planNft({ ...network, reachable }));
    const others = [
      { ...home, guests: ['10.244.0.8'], services: [] },
      { ...home, guests: [] },
    ];
    const led = planNft({ ...network, homes: [home, ...others], local: ['10.42.0.0/30', '10.42.0.0/30'] });
    for (const input of [...variants, led, planNftRemoval()])
      expect(execFileSync('nft', ['--check', '-f', '-'], { input }).toString()).toBe('');
  });
});
