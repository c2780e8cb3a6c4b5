/**
 * Where `actual` does not say what `wanted` says, as a path; undefined when it says all of it. What it says besides does not count.
 * @param path of both values
 */
export function firstDifference(wanted: unknown, actual: unknown, path: string): string | undefined {
  if (wanted === null || typeof wanted !== 'object') return wanted === actual ? undefined : path;
  if (actual === null || typeof actual !== 'object' || Array.isArray(wanted) !== Array.isArray(actual)) return path;
  if (Array.isArray(wanted) && wanted.length !== (actual as unknown[]).length) return path;
  for (const [key, value] of Object.entries(wanted)) {
    const at = Array.isArray(wanted) ? `${path}[${key}]` : `${path}.${key}`;
    const found = firstDifference(value, (actual as Record<string, unknown>)[key], at);
    if (found !== undefined) return found;
  }
  return undefined;
}
