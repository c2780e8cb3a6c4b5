import { describe, expect, it } from 'vitest';
import { isOuterAddress } from '../../../src/core/network/outer-address.ts';
import { formatPrefix, parsePrefix } from '../../../src/core/network/prefix.ts';
import { coveringNetwork, type RouteEntry, usedRoutes } from '../../../src/core/network/used-routes.ts';

const used = (...routes: RouteEntry[]) => usedRoutes(routes).map(formatPrefix);

describe('what a node uses, by its routes', () => {
  it('is all that leads anywhere but by the default route or our own link', () => {
    expect(
      used(
        { dst: 'default', dev: 'eth0' },
        { dst: '0.0.0.0/1', dev: 'tun0' },
        { dst: '64.0.0.0/2', dev: 'wg0' },
        { dst: '100.64.1.0/24', dev: 'headcut0' },
        { type: 'local', dst: '100.64.7.0', dev: 'headcut0' },
        { type: 'blackhole', dst: '100.64.0.0/10' },
        { dst: '100.64.0.0/10', dev: 'tailscale0' },
        { dst: '100.100.100.100', dev: 'tailscale0' },
        { type: 'local', dst: '100.72.3.4', dev: 'eth0' },
        { dst: 'fd00::/64', dev: 'eth0' },
        {},
      ),
    ).toEqual(['100.64.0.0/10', '100.100.100.100/32', '100.72.3.4/32']);
  });

  it('is asked for within the smallest network around all that is to be routed', () => {
    const cover = (...texts: string[]) => {
      const found = coveringNetwork(texts.map(parsePrefix));
      return found === undefined ? undefined : formatPrefix(found);
    };
    expect(cover()).toBeUndefined();
    expect(cover('100.64.2.0/24')).toBe('100.64.2.0/24');
    expect(cover('100.64.2.0/24', '100.64.3.0/24')).toBe('100.64.2.0/23');
    expect(cover('100.64.2.0/24', '100.127.3.0/24')).toBe('100.64.0.0/10');
    expect(cover('100.64.2.0/24', '200.127.3.0/24')).toBe('0.0.0.0/0');
  });
});

describe('an address that a member names for its node', () => {
  it.each(['192.0.2.1', '10.0.0.1', '100.90.1.2', '2001:db8::1', 'fd00::1'])('%s may be probed', (address) => {
    expect(isOuterAddress(address)).toBe(true);
  });

  it.each([
    ...['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', '::1', '0:0:0:0:0:0:0:1', '::'],
    ...['::ffff:127.0.0.1', 'fe80::1', 'fe80::1%eth0', 'ff02::1', 'example.org', ''],
  ])('%s is left alone', (address) => {
    expect(isOuterAddress(address)).toBe(false);
  });
});
