/** The files of a minimal system around a busybox binary, for images that run its commands. */
import { readAppletNames } from './busybox-applets.ts';
import type { TarEntry } from './tar-archive.ts';

const PASSWD = 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\nnobody:x:65534:\n';

/** @param shell another one than busybox's, as `/bin/sh` */
export function busyboxEntries(binary: Buffer, shell?: { name: string; data: Buffer }): TarEntry[] {
  const isOther = (applet: string): boolean => shell !== undefined && ['sh', shell.name].includes(applet);
  const applets = readAppletNames(binary).filter((name) => name !== 'busybox' && !isOther(name));
  return [
    { kind: 'file', path: 'bin/busybox', data: binary, mode: 0o755 },
    ...applets.map((name): TarEntry => ({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' })),
    ...shellEntries(shell),
    { kind: 'symlink', path: 'usr/bin/env', target: '/bin/busybox' }, // scripts start with #!/usr/bin/env
    { kind: 'file', path: 'etc/passwd', data: Buffer.from(PASSWD) },
    { kind: 'file', path: 'etc/group', data: Buffer.from(GROUP) },
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
  ];
}

function shellEntries(shell: { name: string; data: Buffer } | undefined): TarEntry[] {
  if (shell === undefined) return [];
  return [
    { kind: 'file', path: `bin/${shell.name}`, data: shell.data, mode: 0o755 },
    { kind: 'symlink', path: 'bin/sh', target: shell.name },
  ];
}
