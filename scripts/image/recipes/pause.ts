/** The container that holds a pod's network namespace: catatonit, statically linked, waits for a signal and reaps orphans. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLayer } from '../oci-image.ts';
import { packageRecords } from '../package-records.ts';
import { type Recipe, withUnpackedPackages } from '../recipe.ts';

export const pause: Recipe = {
  name: 'pause',
  debianPackages: ['catatonit'],
  // 65535 is the user of Kubernetes' own pause image.
  settings: { User: '65535:65535', Entrypoint: ['/pause', '-P'] },
  layers: ['all'],
  inputs: async () => [],
  build: (context) =>
    withUnpackedPackages(context, async (folder) => {
      const data = await readFile(join(folder, 'usr/bin/catatonit'));
      const records = await packageRecords(context.packageFiles, folder);
      return [await createLayer([{ kind: 'file', path: 'pause', data, mode: 0o755 }, ...records])];
    }),
};
