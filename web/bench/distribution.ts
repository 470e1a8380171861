/** What is told of many times, in the unit of the times. Quantiles are interpolated between neighbours. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p75: number;
  readonly p95: number;
  readonly p99: number;
}

/** Zeros of nothing. */
export function distributionOf(samples: readonly number[]): Distribution {
  const sorted = [...samples].sort((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / Math.max(1, sorted.length);
  const [p50, p75, p95, p99] = [
    quantile(sorted, 0.5),
    quantile(sorted, 0.75),
    quantile(sorted, 0.95),
    quantile(sorted, 0.99),
  ];
  return { count: sorted.length, mean, p50, p75, p95, p99 };
}

export function medianOf(samples: readonly number[]): number {
  return distributionOf(samples).p50;
}

function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [low = 0, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
