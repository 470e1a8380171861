import type { Timings } from '../protocol';

/** When a request arrived and its tokens came, on the engine's clock, in milliseconds. */
export class TokenTimes {
  readonly #arrivalMs: number;
  #prefillStartMs: number | null = null;
  #firstMs: number | null = null;
  #lastMs: number | null = null;
  #endMs: number | null = null;
  /** Between tokens. */
  readonly #intervals: number[] = [];

  constructor(arrivalMs: number) {
    this.#arrivalMs = arrivalMs;
  }

  /** When it was first admitted; null before. */
  get prefillStartMs(): number | null {
    return this.#prefillStartMs;
  }

  admit(nowMs: number): void {
    this.#prefillStartMs ??= nowMs;
  }

  addToken(nowMs: number): void {
    if (this.#lastMs !== null) this.#intervals.push(nowMs - this.#lastMs);
    this.#firstMs ??= nowMs;
    this.#lastMs = nowMs;
  }

  end(nowMs: number): void {
    this.#endMs = nowMs;
  }

  /** Up to the end, or to `nowMs` while it lives. A time or rate that nothing measured is 0. */
  timings(
    nowMs: number,
    { numPrefilled, numCompletionTokens }: { numPrefilled: number; numCompletionTokens: number },
  ): Omit<Timings, 'draftTokens' | 'acceptedDraftTokens'> {
    const firstMs = this.#firstMs;
    const totalMs = (this.#endMs ?? nowMs) - this.#arrivalMs;
    if (firstMs === null || this.#lastMs === null || this.#prefillStartMs === null)
      return { ...NOTHING_MEASURED, totalMs };
    const decodeMs = this.#lastMs - firstMs;
    return {
      ttftMs: firstMs - this.#arrivalMs,
      totalMs,
      tpotMs: numCompletionTokens > 1 ? decodeMs / (numCompletionTokens - 1) : 0,
      itlP95Ms: percentile(this.#intervals, 0.95),
      prefillTokensPerSecond: perSecond(numPrefilled, firstMs - this.#prefillStartMs),
      decodeTokensPerSecond: perSecond(numCompletionTokens - 1, decodeMs),
    };
  }
}

const NOTHING_MEASURED = {
  ttftMs: 0,
  tpotMs: 0,
  itlP95Ms: 0,
  prefillTokensPerSecond: 0,
  decodeTokensPerSecond: 0,
};

/** The smallest value that at least `share` of the values do not exceed; 0 of none. */
function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count * 1000) / ms : 0;
}
