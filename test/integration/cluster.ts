import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { NAMESPACES } from '../../src/kube/resources.ts';

const { server, ca, token } = inject('apiServer');
const root = join(import.meta.dirname, '..', '..');

/** As a member of system:masters. */
export function adminClient(): KubeClient {
  return createKubeClient({ server, ca, token });
}

let count = 0;

/** A namespace of its own. Nothing removes what is in one here: the API server ends with the run. */
export async function freshNamespace(client: KubeClient, labels: Record<string, string> = {}): Promise<string> {
  count += 1;
  const name = `test-${process.pid}-${count}`;
  await client.create(NAMESPACES, { metadata: { name, labels } });
  return name;
}

/** All objects of the manifests a user applies, in the order of their files. */
export function manifests(): KubeObject[] {
  return readdirSync(join(root, 'manifests'))
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(root, 'manifests', file), 'utf8')).map(
        (document) => document.toJS() as KubeObject,
      ),
    );
}

/** Applies manifests/ as a user does, twice if need be: applying again is harmless. */
export function applyManifests(): string {
  const kubectl = join(process.env.HEADCUT_TOOLS ?? '', 'kubectl');
  const args = [
    '--server',
    server,
    '--token',
    token,
    '--insecure-skip-tls-verify',
    'apply',
    '-f',
    join(root, 'manifests'),
  ];
  try {
    return execFileSync(kubectl, args, { encoding: 'utf8', env: { ...process.env, KUBECONFIG: '/dev/null' } });
  } catch (error) {
    throw new Error(String((error as { stderr?: unknown }).stderr ?? error));
  }
}
