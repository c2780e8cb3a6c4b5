/**
 * As much of each list as fits into a total: whoever wants little gets all of it, and the rest is shared evenly. What is first in a list stays.
 *
 * @param total of all lists together
 */
export function shareOut<T>(lists: readonly (readonly T[])[], total: number): T[][] {
  const shared: T[][] = lists.map(() => []);
  let left = total;
  [...lists.entries()]
    .sort(([, a], [, b]) => a.length - b.length)
    .forEach(([index, list], served) => {
      const share = list.slice(0, Math.floor(left / (lists.length - served)));
      shared[index] = share;
      left -= share.length;
    });
  return shared;
}
