/** kubectl alone: shows in tests that a pod's in-cluster settings lead to the API server of its home. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFiles } from '../fingerprint.ts';
import { createLayer } from '../oci-image.ts';
import { imageUser, type Recipe } from '../recipe.ts';

/** The lab's own kubectl, statically linked; scripts/lib.sh sets the folder. */
const binary = join(process.env.HEADCUT_TOOLS ?? '', 'kubectl');

export const kubectl: Recipe = {
  name: 'kubectl',
  debianPackages: [],
  obstacle: () => (existsSync(binary) ? undefined : 'the lab has no kubectl yet'),
  settings: { User: `${imageUser}:${imageUser}`, Env: ['PATH=/bin', 'HOME=/tmp'], Entrypoint: ['/bin/kubectl'] },
  layers: ['all'],
  inputs: async () => [await hashFiles(binary)],
  async build() {
    const layer = await createLayer([
      { kind: 'file', path: 'bin/kubectl', data: await readFile(binary), mode: 0o755 },
      { kind: 'directory', path: 'tmp', mode: 0o1777 },
    ]);
    return [layer];
  },
};
