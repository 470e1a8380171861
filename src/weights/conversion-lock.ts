/**
 * Runs `work` while no other tab holds the lock of this name, so that one tab converts a model and the others wait for
 * it. Without the Web Locks API there is no second tab to keep out (workers of tests).
 */
export async function withConversionLock<T>(
  name: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work();
  return locks.request(`tabmind-weights ${name}`, signal ? { signal } : {}, work);
}
