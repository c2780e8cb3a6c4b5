/**
 * Kubernetes quantities, exact: a number of thousandths as bigint (`milli`). CPU counts in milli-cores and everything else
 * in whole units, so thousandths hold all that a scheduler looks at; smaller parts (n, u) are rounded up, as Kubernetes does.
 */

const BINARY: Record<string, bigint> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$/;

/** Thousandths of a quantity such as `100m`, `1.5Gi`, `2e3`. Throws RangeError with the text when it is none. */
export function parseQuantity(text: string): bigint {
  const match = PATTERN.exec(text.trim());
  const [, sign, whole = '', fraction = '', suffix = ''] = match ?? [];
  if (match === null || whole + fraction === '') throw new RangeError(`"${text}" is not a Kubernetes quantity`);
  const digits = BigInt(whole + fraction);
  const shift = BINARY[suffix];
  const exponent = shift !== undefined ? 0 : (DECIMAL[suffix] ?? Number(suffix.slice(1)));
  const scaled = (shift === undefined ? digits : digits << shift) * 1000n;
  const milli = timesPowerOfTen(scaled, exponent - fraction.length);
  return sign === '-' ? -milli : milli;
}

function timesPowerOfTen(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (value + divisor - 1n) / divisor;
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

const LARGE_UNITS = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const;

/** A quantity for people: memory-like amounts in the unit in which they are short (`62.5Mi`), others as they are. Not exact. */
export function readableQuantity(resource: string, text: string): string {
  if (styleOf(resource) !== 'binary') return text;
  let value = Number(parseQuantity(text)) / 1000;
  let unit = '';
  for (const next of LARGE_UNITS) {
    if (Math.abs(value) < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number(value.toFixed(1))}${unit}`;
}
