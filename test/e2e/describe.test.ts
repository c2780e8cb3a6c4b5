import { expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { apply, eventually, kubectl, list, offloadedNamespace, pod, podSpec, restartAgents } from './lab.ts';

interface Event extends KubeObject {
  source?: { component?: string };
  involvedObject: { name: string };
}

test.each([
  ['a', 'b'],
  ['b', 'a'],
])(
  'describe on %s tells how a pod started that runs on %s, in one event, which a new agent does not repeat',
  async (home, provider) => {
    await using namespace = await offloadedNamespace(home);
    const { name } = namespace;
    const start = (podName: string) =>
      apply(home, pod(name, podName, podSpec({ nodeSelector: { 'kubernetes.io/hostname': `headcut-${provider}` } })));
    const isDescribed = async (podName: string) =>
      expect(await kubectl(home, ['-n', name, 'describe', 'pod', podName])).toMatch(
        /Normal +Scheduled [\s\S]*Normal +Started .*headcut.*Container image .*; .*[Cc]reated.*; .*[Ss]tarted/,
      );
    const told = async () =>
      (await list<Event>(home, ['-n', name, 'events']))
        .filter(({ source }) => source?.component === 'headcut')
        .map(({ involvedObject }) => involvedObject.name);
    await start('told');
    await eventually(() => isDescribed('told'));
    expect(await told()).toEqual(['told']);
    await restartAgents(home, provider);
    await start('later');
    await eventually(() => isDescribed('later'), 60_000);
    expect((await told()).sort()).toEqual(['later', 'told']);
  },
  180_000,
);
