import { describe, expect, it } from 'vitest';
import { readAppletNames } from '../../scripts/image/busybox-applets.ts';

const names = ['[', '[[', 'busybox', 'cat', 'env', 'mkfs.minix', 'nc', 'run-parts', 'sh', 'sleep', 'wget'];

describe('busybox applets', () => {
  it('are read from the block of names in the binary', () => {
    const binary = Buffer.concat([Buffer.from([0x7f, 1, 2]), Buffer.from(`\0${names.join('\0')}\0\0rest\0[\0[[\0`)]);
    expect(readAppletNames(binary)).toEqual(names);
  });

  it('are refused when the block is not what it should be', () => {
    expect(() => readAppletNames(Buffer.from('ELF'))).toThrow('was not found');
    expect(() => readAppletNames(Buffer.from('\0[\0[[\0sh\0\0'))).toThrow('was not found');
  });
});
