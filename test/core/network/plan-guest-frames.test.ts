import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { planGuestFrames, planGuestFramesRemoval } from '../../../src/core/network/plan-guest-frames.ts';

const homes = [
  { guests: ['10.244.0.9', '10.244.0.8'], podCidr: '10.42.0.0/24', prefix: '100.64.1.0/24', services: [] },
];
const bridge = { name: 'cni0', mac: '02:00:00:00:00:01' };
const plan = (bridges = [bridge], of = homes) => planGuestFrames({ homes: of, podCidr: '10.244.0.0/24' }, bridges);

test('frames of guests and to guests are taken up by the node, and no others', () => {
  const { bridge: rules } = plan();
  expect(rules).toContain('ip saddr { 10.244.0.8, 10.244.0.9 } ether daddr set 02:00:00:00:00:01');
  expect(rules).toContain('ip daddr { 10.244.0.8, 10.244.0.9 } ether daddr set 02:00:00:00:00:01');
});

test('the node answers guests alone, and never for what is a guest’s own', () => {
  const { netdev: rules } = plan();
  expect(rules).toContain(
    'arp saddr ip { 10.244.0.8, 10.244.0.9 } arp daddr ip 10.244.0.0/24 arp daddr ip != { 10.244.0.8',
  );
  expect(rules).toContain('device "cni0"');
});

test.each([
  ['nobody is a guest', [bridge], [{ ...homes[0], guests: [] } as (typeof homes)[0]]],
  ['no bridge connects pods', [], homes],
])('nothing is made where %s', (_where, bridges, of) => {
  expect(Object.values(plan(bridges, of)).join()).not.toContain('chain');
});

test('frames of one bridge do not get to another', () => {
  expect(plan([bridge, { ...bridge, name: 'cni1' }]).bridge).not.toContain('chain');
});

test.runIf(process.getuid?.() === 0)('the kernel’s own nft understands it', () => {
  const input = [plan().bridge, planGuestFramesRemoval('bridge'), planGuestFramesRemoval('netdev')].join('\n');
  expect(execFileSync('nft', ['--check', '-f', '-'], { input }).toString()).toBe('');
});
