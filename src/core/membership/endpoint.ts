import { CodedError } from '../coded-error.ts';
import { PEER_PORT } from '../labels.ts';

/** Where a member listens: a host name or address, and a TCP port. */
export interface HostPort {
  host: string;
  port: number;
}

/** Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; throws InvalidArgument. */
export function parseEndpoint(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null && /^[0-9a-fA-F:]+$/.test(text) && text.includes('::')) return { host: text, port: PEER_PORT };
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? PEER_PORT : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new CodedError(
      'InvalidArgument',
      `"${text}" is no endpoint; write it as host:port, for example 192.0.2.7:7443`,
    );
  }
  return { host, port };
}

/** `host:port`, IPv6 in brackets. */
export function formatEndpoint(endpoint: HostPort): string {
  return endpoint.host.includes(':') ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** All endpoints, the one that was reached last first if it is still one of them. */
export function preferEndpoint(endpoints: readonly string[], last: string | undefined): readonly string[] {
  if (last === undefined || !endpoints.includes(last)) return endpoints;
  return [last, ...endpoints.filter((one) => one !== last)];
}
