import { describe, expect, it } from 'vitest';
import { formatEndpoint, parseEndpoint } from '../../../src/core/membership/endpoint.ts';

describe('endpoints', () => {
  it.each([
    ['192.0.2.7:7443', { host: '192.0.2.7', port: 7443 }],
    ['192.0.2.7', { host: '192.0.2.7', port: 7443 }],
    ['edge.example:443', { host: 'edge.example', port: 443 }],
    ['[2001:db8::7]:8443', { host: '2001:db8::7', port: 8443 }],
    ['[2001:db8::7]', { host: '2001:db8::7', port: 7443 }],
    ['2001:db8::7', { host: '2001:db8::7', port: 7443 }],
  ])('reads %s', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(parseEndpoint(formatEndpoint(endpoint))).toEqual(endpoint);
  });

  it.each(['', 'a:b', 'host:0', 'host:70000', 'https://host:7443', 'a b:1', '[::1'])(
    'refuses "%s" and says how to write one',
    (text) => {
      expect(() => parseEndpoint(text)).toThrow(/host:port/);
    },
  );
});
