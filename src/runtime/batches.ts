/**
 * Works on all items, so many at once: a single-node API server takes as many writes in a few milliseconds, and more would only queue
 * there. One that fails does not keep others from being tried; then the first error is thrown.
 */
export async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>, size = 16): Promise<void> {
  const failures: unknown[] = [];
  for (let first = 0; first < items.length; first += size) {
    const batch = items.slice(first, first + size);
    await Promise.all(batch.map((item) => work(item).catch((error: unknown) => failures.push(error))));
  }
  if (failures.length > 0) throw failures[0];
}
