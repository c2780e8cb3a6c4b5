/**
 * Milliseconds of CPU time that this thread takes for `work`: what an event loop is blocked for on a machine that does nothing else.
 * Other work on the same machine changes it little, so limits can be asserted.
 */
export function cpuMsOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const used = process.threadCpuUsage(before);
  return (used.user + used.system) / 1000;
}
