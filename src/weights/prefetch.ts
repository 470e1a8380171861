export interface PrefetchLimits {
  /** Work in flight at once, the piece being consumed not counted. */
  readonly maxItems: number;
  /** Summed cost in flight; a single item may exceed it. */
  readonly maxCost: number;
}

/**
 * Starts work on the items ahead of the consumer and yields the results in order. The first failure is thrown where its
 * result would have come; work that was already started is then left to end by itself.
 */
export async function* prefetch<T, R>(
  items: readonly T[],
  limits: PrefetchLimits,
  costOf: (item: T) => number,
  start: (item: T) => Promise<R>,
): AsyncGenerator<readonly [T, R], void, undefined> {
  const inFlight: { readonly item: T; readonly cost: number; readonly result: Promise<R> }[] = [];
  let [next, cost] = [0, 0];
  const fill = () => {
    for (; next < items.length; next++) {
      const item = items[next] as T;
      const itemCost = costOf(item);
      const hasRoom = inFlight.length < limits.maxItems && cost + itemCost <= limits.maxCost;
      if (inFlight.length > 0 && !hasRoom) return;
      const result = start(item);
      // a failure behind the one that is thrown must not count as unhandled
      result.catch(() => undefined);
      inFlight.push({ item, cost: itemCost, result });
      cost += itemCost;
    }
  };
  for (;;) {
    fill();
    const first = inFlight.shift();
    if (!first) return;
    const result = await first.result;
    cost -= first.cost;
    fill();
    yield [first.item, result];
  }
}
