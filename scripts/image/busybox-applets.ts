/** The commands that a busybox binary contains, read from the binary, as one for another architecture cannot be asked. */

/** Busybox keeps the names in one sorted block, each ended by a zero byte; `[` sorts before all others. */
const blockStart = Buffer.from('\0[\0[[\0');

/** Commands without which this cannot be the list. */
const expected = ['sh', 'cat', 'env', 'nc', 'sleep', 'wget'];

export function readAppletNames(binary: Buffer): string[] {
  const start = binary.indexOf(blockStart) + 1;
  const end = binary.indexOf('\0\0', start);
  const names = binary.subarray(start, end).toString('latin1').split('\0');
  const isList =
    start > 0 && names.every((name) => /^[\w.[-]+$/.test(name)) && expected.every((n) => names.includes(n));
  if (!isList) throw new Error('the list of applets was not found in the busybox binary');
  return names;
}
