import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { claimLabName, releaseLabName } from '../../src/lab/lab-registry.ts';
import { makeMountPoints, removeMountPoints } from '../../src/lab/mount-points.ts';

/** A machine that has one of the folders of k0s and lacks the other, and labs that are there. */
async function machine(...labs: string[]) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'headcut-machine-'));
  const at = (...names: string[]) => join(folder.path, ...names);
  for (const name of ['labs', 'there']) mkdirSync(at(name));
  const registry = at('registry');
  const claim = (lab: string) => {
    mkdirSync(at('labs', lab));
    claimLabName(lab, at('labs', lab), registry);
  };
  labs.forEach(claim);
  return {
    registry,
    paths: [at('there'), at('lacking')],
    has: (name: string) => existsSync(at(name)),
    fill: (name: string) => writeFileSync(at(name, 'file'), ''),
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

describe('the folders of the machine that clusters mount over', () => {
  test('that a lab made are gone after it, and none that was there before', async () => {
    await using its = await machine('lab');
    const { registry, paths, has } = its;
    makeMountPoints(paths, registry);
    expect([has('there'), has('lacking')]).toEqual([true, true]);
    releaseLabName('lab', registry);
    removeMountPoints(registry);
    expect([has('there'), has('lacking')]).toEqual([true, false]);
  });

  test('stay while another lab is there, whichever made them, and go with the last one', async () => {
    await using its = await machine('lab', 'test');
    const { registry, paths, has } = its;
    makeMountPoints(paths, registry);
    makeMountPoints(paths, registry);
    releaseLabName('lab', registry);
    removeMountPoints(registry);
    expect(has('lacking')).toBe(true);
    releaseLabName('test', registry);
    removeMountPoints(registry);
    expect([has('there'), has('lacking')]).toEqual([true, false]);
  });

  test('stay with what somebody put into them, such as a k0s that was installed meanwhile', async () => {
    await using its = await machine('lab');
    const { registry, paths, has, fill } = its;
    makeMountPoints(paths, registry);
    fill('lacking');
    releaseLabName('lab', registry);
    removeMountPoints(registry);
    expect(has('lacking/file')).toBe(true);
  });

  test('are no concern of a lab that is taken down twice', async () => {
    await using its = await machine();
    const { registry, has } = its;
    removeMountPoints(registry);
    expect(has('there')).toBe(true);
  });
});
