import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { installObjects } from '../../src/ops/install-objects.ts';
import { removeK0sStack, writeK0sStack } from '../../src/ops/k0s-stack.ts';

async function k0sFolder() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'headcut-stack-'));
  mkdirSync(join(folder.path, 'manifests'));
  return folder;
}

describe('the stack of k0s', () => {
  test('holds the objects of an installation in files that k0s reads, and nothing else', async () => {
    await using folder = await k0sFolder();
    const file = await writeK0sStack(folder.path, { csrApprover: true });
    const objects = parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as KubeObject);
    expect(objects).toEqual(installObjects({ csrApprover: true }));
    expect(readdirSync(join(folder.path, 'manifests', 'headcut'))).toEqual(['headcut.yaml']);
  });

  test('is replaced when it is written again, and gone when it is removed', async () => {
    await using folder = await k0sFolder();
    await writeK0sStack(folder.path, { image: 'one' });
    expect(readFileSync(await writeK0sStack(folder.path, { image: 'two' }), 'utf8')).not.toContain('image: one');
    expect(removeK0sStack(folder.path)).toBe(true);
    expect(existsSync(join(folder.path, 'manifests', 'headcut'))).toBe(false);
    expect(removeK0sStack(folder.path)).toBe(false);
  });

  test('is not written where there is no k0s', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'headcut-stack-'));
    await expect(writeK0sStack(folder.path, {})).rejects.toThrow('run this on the machine of a k0s controller');
    expect(() => removeK0sStack(folder.path)).toThrow('--data-dir');
  });
});

test('another image of the agent is that of all its containers', () => {
  const agent = installObjects({ image: 'registry.example/headcut:9' }).find(({ kind }) => kind === 'Deployment');
  const { containers } = ((agent as KubeObject).spec as { template: { spec: { containers: { image: string }[] } } })
    .template.spec;
  expect(containers.map(({ image }) => image)).toEqual(containers.map(() => 'registry.example/headcut:9'));
});
