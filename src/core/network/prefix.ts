import { CodedError } from '../coded-error.ts';

/** An IPv4 network: its first address as a number, and the length of its prefix. */
export interface Prefix {
  base: number;
  length: number;
}

/** Without leading zeros, which some programs read as octal: one text for each address. */
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/** The 32-bit number of a dotted IPv4 address in its canonical form; undefined for anything else. */
export function parseIpv4(text: string): number | undefined {
  const parts = IPV4.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

export function formatIpv4(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** Number of addresses in a network. */
export function sizeOf(prefix: Prefix): number {
  return 2 ** (32 - prefix.length);
}

/** Reads `10.244.0.0/24`; throws InvalidArgument when it is none, is not in its canonical form, or has host bits set. */
export function parsePrefix(text: string): Prefix {
  const [address = '', bits = '', ...more] = text.split('/');
  const base = more.length > 0 ? undefined : parseIpv4(address);
  const length = /^(0|[1-9]\d?)$/.test(bits) ? Number(bits) : 33;
  if (base === undefined || length > 32 || base % 2 ** (32 - length) !== 0) {
    throw new CodedError('InvalidArgument', `"${text}" is no IPv4 network; write it like 100.64.0.0/10`);
  }
  return { base, length };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIpv4(prefix.base)}/${prefix.length}`;
}

/** The prefix in its canonical form, whatever was told; undefined when it is none. */
export function readPrefix(text: unknown): Prefix | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    return parsePrefix(text);
  } catch {
    return undefined;
  }
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b) || contains(b, a);
}

/** True when `inner` (a network, or an address as a number) lies in `outer`. */
export function contains(outer: Prefix, inner: Prefix | number): boolean {
  const { base, length } = typeof inner === 'number' ? { base: inner, length: 32 } : inner;
  return length >= outer.length && base >= outer.base && base < outer.base + sizeOf(outer);
}

/** The address with the same host part in `to`, or undefined when it is not in `from`. Both are of one length. */
export function mapAddress(address: string, from: Prefix, to: Prefix): string | undefined {
  const number = parseIpv4(address);
  if (number === undefined || from.length !== to.length || !contains(from, number)) return undefined;
  return formatIpv4(number - from.base + to.base);
}
