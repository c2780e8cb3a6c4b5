import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { shiftExpression } from '../../../src/lab/faults/agent-clock.ts';
import { isTarget } from '../../../src/lab/faults/cluster-processes.ts';
import { type PacketFault, parseFault } from '../../../src/lab/faults/fault.ts';
import { freezeCgroup, thawCgroup } from '../../../src/lab/faults/freezer.ts';
import { packetFaultScript, packetFaultTable } from '../../../src/lab/faults/packet-faults.ts';
import { delayArguments } from '../../../src/lab/faults/slow-link.ts';
import { createTopology } from '../../../src/lab/topology.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const lab = createTopology({ name: 'lab', folder: '/x', subnet: '10.200.7', clusterCount: 3 });

describe('the words of a fault', () => {
  test.each([
    ['cut a b', { kind: 'cut', cluster: 'a', other: 'b', oneWay: false }],
    ['cut a', { kind: 'cut', cluster: 'a', other: undefined, oneWay: false }],
    ['lose 30 a b', { kind: 'lose', percent: 30, cluster: 'a', other: 'b', oneWay: false }],
    ['block-udp b', { kind: 'block-udp', cluster: 'b', other: undefined, oneWay: false }],
    ['delay 100~20 c', { kind: 'delay', cluster: 'c', delayMs: 100, jitterMs: 20 }],
    ['kill a kubelet', { kind: 'kill', cluster: 'a', target: 'kubelet' }],
    ['freeze a', { kind: 'freeze', cluster: 'a', target: undefined }],
    ['freeze a agent', { kind: 'freeze', cluster: 'a', target: 'agent' }],
    ['power b', { kind: 'power', cluster: 'b' }],
    ['fill-disk c', { kind: 'fill-disk', cluster: 'c' }],
    ['clock ahead 1h b', { kind: 'clock', cluster: 'b', shiftMs: 3_600_000 }],
    ['clock behind 90s b', { kind: 'clock', cluster: 'b', shiftMs: -90_000 }],
  ])('%s', (text, expected) => {
    expect(parseFault(text.split(' '), false)).toEqual(expected);
  });

  test.each([
    ['', 'which fault'],
    ['burn a', 'no fault "burn"'],
    ['cut', 'one or two clusters'],
    ['cut a a', 'two different clusters'],
    ['lose 0 a', 'from 1 to 100'],
    ['delay fast a', 'milliseconds'],
    ['kill a', 'what to kill'],
    ['power a b', 'one cluster'],
    ['clock 1h b', '"ahead" or "behind"'],
  ])('"%s" is refused and said why', (text, message) => {
    expect(() => parseFault(text.split(' ').filter(Boolean), false)).toThrow(message);
  });
});

describe('packets', () => {
  const cut: PacketFault = { kind: 'cut', cluster: 'b', other: 'a', oneWay: false };

  test('are dropped both ways, or the one way that is asked for, and never those of the machine', () => {
    expect(packetFaultScript(lab, cut).match(/iifname.*/g)).toEqual([
      'iifname "to-b" oifname { "to-a" } drop',
      'iifname { "to-a" } oifname "to-b" drop',
    ]);
    expect(packetFaultScript(lab, { ...cut, oneWay: true }).match(/iifname.*/g)).toEqual([
      'iifname "to-b" oifname { "to-a" } drop',
    ]);
    const lossy = packetFaultScript(lab, { kind: 'lose', percent: 5, cluster: 'c', other: undefined, oneWay: true });
    expect(lossy).toContain('iifname "to-c" oifname { "to-a", "to-b" } numgen random mod 100 < 5 drop');
  });

  test('have one table a fault, so that each ends alone and in either order of names', () => {
    const other: PacketFault = { ...cut, cluster: 'a', other: 'b' };
    expect(packetFaultTable(cut)).toBe(packetFaultTable(other));
    const others: PacketFault[] = [
      { ...cut, oneWay: true },
      { ...other, oneWay: true },
      { ...cut, kind: 'block-udp' },
      { ...cut, other: undefined },
    ];
    expect(new Set([cut, ...others].map(packetFaultTable)).size).toBe(5);
  });

  test('are delayed at the port of the bridge, and overtake each other where there is jitter', () => {
    const delay = { kind: 'delay', cluster: 'a', delayMs: 100, jitterMs: 0 } as const;
    expect(delayArguments('to-a', delay).join(' ')).toMatch(/dev to-a root netem limit \d+ delay 100ms$/);
    expect(delayArguments('to-a', { ...delay, jitterMs: 20 }).join(' ')).toMatch(/delay 100ms 20ms$/);
  });
});

describe('processes', () => {
  test('are known by their program, the agent by its bundle', () => {
    expect(isTarget(['/opt/tools/kubelet', '--config=x'], 'kubelet')).toBe(true);
    expect(isTarget(['/usr/local/bin/node', '--flag', '/app/agent.mjs', ''], 'agent')).toBe(true);
    expect(isTarget(['/usr/local/bin/node', '/app/network.mjs'], 'agent')).toBe(false);
    expect(isTarget([], 'kubelet')).toBe(false);
  });

  test('stand still in both versions of cgroups', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'freezer-'));
    const cgroup = join(folder.path, 'lab', 'a');
    mkdirSync(cgroup, { recursive: true });
    writeFileSync(join(cgroup, 'freezer.state'), 'THAWED\n');
    writeFileSync(join(cgroup, 'cgroup.freeze'), '0\n');
    writeFileSync(join(cgroup, 'cgroup.events'), 'populated 1\nfrozen 1\n');
    for (const version of [1, 2] as const) {
      const mounts = { version, hierarchies: [folder.path] };
      const file = join(cgroup, version === 1 ? 'freezer.state' : 'cgroup.freeze');
      await freezeCgroup(mounts, 'lab/a', systemClock);
      expect(readFileSync(file, 'utf8')).toBe(version === 1 ? 'FROZEN' : '1');
      thawCgroup(mounts, 'lab/a');
      expect(readFileSync(file, 'utf8')).toBe(version === 1 ? 'THAWED' : '0');
    }
  });
});

test('a clock that jumped shows another time, and leaves dates that are given alone', () => {
  const ofExpression = (shiftMs: number): { Date: DateConstructor; process: object } & object => {
    const world = { Date, process };
    createContext(world);
    runInContext(shiftExpression(shiftMs), world);
    return world;
  };
  const hour = 3_600_000;
  const shifted = ofExpression(hour).Date;
  for (const shown of [shifted.now(), new shifted().getTime(), Date.parse(shifted())])
    expect(Math.abs(shown - Date.now() - hour)).toBeLessThan(5_000);
  expect(new shifted(12).getTime()).toBe(12);
  expect(shifted.UTC(2026, 0)).toBe(Date.UTC(2026, 0));
  expect(new Date() instanceof shifted).toBe(true);
  expect(ofExpression(0).Date).toBe(Date);
});
