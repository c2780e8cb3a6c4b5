import { describe, expect, it } from 'vitest';
import { PeerHosts } from '../../../src/agent/network/peer-hosts.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const network = { publicKey: 'k', port: 51820, podCidr: '10.244.0.0/24', prefix: '100.64.2.0/24', since: 1 };
const record = (id: string, ...endpoints: string[]) => ({ id, network, endpoints });
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

function hosts(resolve: (host: string) => Promise<string[]>) {
  const told = { changes: 0, asked: [] as string[] };
  const peerHosts = new PeerHosts({
    resolve: (host) => {
      told.asked.push(host);
      return resolve(host);
    },
    onChange: () => {
      told.changes += 1;
    },
    clock: jumpingClock(),
  });
  return { peerHosts, told };
}

describe('where a peer may be reached by UDP', () => {
  it('is at the hosts of its endpoints, names as soon as they are known', async () => {
    const { peerHosts, told } = hosts(async () => ['192.0.2.9']);
    const member = record('b', '192.0.2.2:7443', 'b.example:7443');
    expect(peerHosts.candidatesOf(member)).toEqual([{ address: '192.0.2.2', port: 51820 }]);
    await settled();
    expect(told.changes).toBe(1);
    expect(peerHosts.candidatesOf(member).map(({ address }) => address)).toEqual(['192.0.2.2', '192.0.2.9']);
  });

  it('is nowhere that is no other node, and an endpoint that is none spoils no other', () => {
    const { peerHosts } = hosts(async () => []);
    const member = record('b', ':::', '127.0.0.1:7443', '[::1]:7443', '224.0.0.1:7443', '192.0.2.2:7443');
    expect(peerHosts.candidatesOf(member).map(({ address }) => address)).toEqual(['192.0.2.2']);
  });

  it('does not wait for the names of one member that nobody answers', async () => {
    const { peerHosts, told } = hosts((host) =>
      host.startsWith('slow') ? new Promise(() => {}) : Promise.resolve(['192.0.2.9']),
    );
    peerHosts.candidatesOf(record('slow', ...Array.from({ length: 16 }, (_, i) => `slow${i}.example:7443`)));
    const other = record('b', 'b.example:7443');
    peerHosts.candidatesOf(other);
    await settled();
    expect(peerHosts.candidatesOf(other)).toEqual([{ address: '192.0.2.9', port: 51820 }]);
    expect(told.asked.filter((host) => host.startsWith('slow'))).toEqual(['slow0.example']);
  });
});
