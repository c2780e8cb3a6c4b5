import { expect, test } from 'vitest';
import lock from '../../package-lock.json' with { type: 'json' };
import { versionsOf } from '../../scripts/image/package-records.ts';

test('an image says which versions of Debian packages it has', () => {
  const files = ['/cache/nftables_1%3a1.0.6-2+deb12u2_amd64.deb', '/cache/libc6_2.36-9+deb12u10_amd64.deb'];
  expect(versionsOf(files)).toBe('libc6=2.36-9+deb12u10, nftables=1:1.0.6-2+deb12u2');
});

test('each npm package has a hash, and none but those that were looked at wants to run something when it is installed', () => {
  const packages = Object.entries(lock.packages as Record<string, { integrity?: string; hasInstallScript?: boolean }>);
  const others = packages.filter(([name]) => name !== '');
  expect(others.filter(([, { integrity }]) => integrity === undefined).map(([name]) => name)).toEqual([]);
  // It checks its program, which comes as a package of its own.
  const running = others.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([name]) => name);
  expect(running).toEqual(['node_modules/esbuild']);
});
