/** A shell with the usual commands, and a web server that says which pod of which cluster answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxEntries } from '../busybox-layer.ts';
import { createLayer } from '../oci-image.ts';
import { packageRecords } from '../package-records.ts';
import { type Recipe, withUnpackedPackages } from '../recipe.ts';

/** bin until Debian 12, usr/bin since 13. */
function readBusybox(folder: string): Promise<Buffer> {
  return readFile(join(folder, 'bin/busybox')).catch(() => readFile(join(folder, 'usr/bin/busybox')));
}

export const demo: Recipe = {
  name: 'demo',
  debianPackages: ['busybox-static'],
  settings: { Env: ['PATH=/bin:/usr/bin'], Cmd: ['/bin/serve'], ExposedPorts: { '8080/tcp': {} } },
  layers: ['all'],
  inputs: async () => [],
  build: (context) =>
    withUnpackedPackages(context, async (folder) => {
      const script = (name: string) => readFile(join(context.root, 'scripts/image/demo', name));
      const layer = await createLayer([
        ...busyboxEntries(await readBusybox(folder)),
        { kind: 'file', path: 'bin/serve', data: await script('serve.sh'), mode: 0o755 },
        { kind: 'file', path: 'bin/answer', data: await script('answer.sh'), mode: 0o755 },
        ...(await packageRecords(context.packageFiles, folder)),
      ]);
      return [layer];
    }),
};
