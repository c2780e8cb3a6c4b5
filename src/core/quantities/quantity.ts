/**
 * Kubernetes quantities, exact: a number of thousandths as bigint (`milli`). CPU counts in milli-cores and everything else
 * in whole units, so thousandths hold all that a scheduler looks at; smaller parts (n, u) are rounded up, as Kubernetes does.
 * What a text costs is bounded by its length alone: amounts beyond what Kubernetes can hold become that, whatever the exponent.
 */

const BINARY: Record<string, bigint> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** The longest text that is read as a quantity. What API servers write needs less than half of it. */
export const MAX_QUANTITY_LENGTH = 64;
/** The largest amount, in thousandths: 2^63 − 1 whole units, as in k8s.io/apimachinery/pkg/api/resource (maxAllowed). */
export const MAX_MILLI = (2n ** 63n - 1n) * 1000n;

const UNSIGNED = '(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?';
/** What a quantity that another cluster sends looks like: an amount, never less than nothing. For schemas, with MAX_QUANTITY_LENGTH. */
export const QUANTITY_PATTERN = `^\\+?${UNSIGNED}$`;

const SIGNED = new RegExp(`^[+-]?${UNSIGNED}$`);
const PARTS = /^([+-]?)(\d*)(?:\.(\d*))?(.*)$/;

/**
 * Thousandths of a quantity such as `100m`, `1.5Gi`, `2e3`, or of a number of JSON; at most MAX_MILLI, at least its negative.
 * Throws RangeError with the text (its beginning, if it is long) when it is none.
 */
export function parseQuantity(quantity: string | number): bigint {
  // Of a CRD with int-or-string.
  const text = typeof quantity === 'string' ? quantity.trim() : String(quantity);
  if (text.length > MAX_QUANTITY_LENGTH || !SIGNED.test(text)) throw new RangeError(problemOf(text));
  const [, sign, whole = '', fraction = '', suffix = ''] = PARTS.exec(text) ?? [];
  const digits = BigInt(whole + fraction);
  const shift = BINARY[suffix];
  const exponent = shift !== undefined ? 0 : (DECIMAL[suffix] ?? Number(suffix.slice(1)));
  const scaled = (shift === undefined ? digits : digits << shift) * 1000n;
  const milli = capped(timesPowerOfTen(scaled, exponent - fraction.length));
  return sign === '-' ? -milli : milli;
}

/** As parseQuantity, of anything; undefined when it is no quantity. */
export function quantityFrom(quantity: unknown): bigint | undefined {
  if (typeof quantity !== 'string' && typeof quantity !== 'number') return undefined;
  try {
    return parseQuantity(quantity);
  } catch {
    return undefined;
  }
}

function problemOf(text: string): string {
  if (text.length <= MAX_QUANTITY_LENGTH) return `"${text}" is not a Kubernetes quantity`;
  return `"${text.slice(0, MAX_QUANTITY_LENGTH)}…" is not a Kubernetes quantity: it has more than ${MAX_QUANTITY_LENGTH} characters`;
}

/** Beyond this power of ten, no text of MAX_QUANTITY_LENGTH digits is anything but too large, or the smallest part. */
const MAX_EXPONENT = 100;

function timesPowerOfTen(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value * 10n ** BigInt(Math.min(exponent, MAX_EXPONENT));
  const divisor = 10n ** BigInt(Math.min(-exponent, MAX_EXPONENT));
  return (value + divisor - 1n) / divisor;
}

function capped(milli: bigint): bigint {
  return milli > MAX_MILLI ? MAX_MILLI : milli;
}

/** The canonical text of thousandths: `1500m`, `3`; memory-like amounts in whole Ki where that is exact. */
export function formatQuantity(milli: bigint, style: 'decimal' | 'binary' = 'decimal'): string {
  if (milli % 1000n !== 0n) return `${milli}m`;
  const units = milli / 1000n;
  return style === 'binary' && units !== 0n && units % 1024n === 0n ? `${units / 1024n}Ki` : `${units}`;
}

/** The style in which kubelets print a resource. */
export function styleOf(resource: string): 'decimal' | 'binary' {
  return resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-')
    ? 'binary'
    : 'decimal';
}

const LARGE_UNITS = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;

/**
 * A quantity for people: memory-like amounts in the unit in which they are short (`62.5Mi`), others as they are. Not exact.
 * What is no quantity is a question mark.
 */
export function readableQuantity(resource: string, text: string): string {
  const milli = quantityFrom(text);
  if (milli === undefined) return '?';
  if (styleOf(resource) !== 'binary') return text;
  let value = Number(milli) / 1000;
  let unit = '';
  for (const next of LARGE_UNITS) {
    if (Math.abs(value) < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number(value.toFixed(1))}${unit}`;
}
