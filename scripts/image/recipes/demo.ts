/** A shell with the usual commands, and a web server that says which pod of which cluster answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readAppletNames } from '../busybox-applets.ts';
import { createLayer } from '../oci-image.ts';
import { packageRecords } from '../package-records.ts';
import { type Recipe, withUnpackedPackages } from '../recipe.ts';
import type { TarEntry } from '../tar-archive.ts';

const passwd = 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const group = 'root:x:0:\nnobody:x:65534:\n';

async function busyboxEntries(folder: string): Promise<TarEntry[]> {
  // bin until Debian 12, usr/bin since 13
  const binary = await readFile(join(folder, 'bin/busybox')).catch(() => readFile(join(folder, 'usr/bin/busybox')));
  const applets = readAppletNames(binary).filter((name) => name !== 'busybox');
  return [
    { kind: 'file', path: 'bin/busybox', data: binary, mode: 0o755 },
    ...applets.map((name) => ({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' }) as const),
    { kind: 'symlink', path: 'usr/bin/env', target: '/bin/busybox' }, // scripts start with #!/usr/bin/env
  ];
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
        ...(await busyboxEntries(folder)),
        { kind: 'file', path: 'bin/serve', data: await script('serve.sh'), mode: 0o755 },
        { kind: 'file', path: 'bin/answer', data: await script('answer.sh'), mode: 0o755 },
        { kind: 'file', path: 'etc/passwd', data: Buffer.from(passwd) },
        { kind: 'file', path: 'etc/group', data: Buffer.from(group) },
        { kind: 'directory', path: 'tmp', mode: 0o1777 },
        ...(await packageRecords(context.packageFiles, folder)),
      ]);
      return [layer];
    }),
};
