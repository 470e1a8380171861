import type { PagedKv } from './paged-kv';

export interface AttentionTwin {
  readonly kv: PagedKv;
  readonly table: readonly number[];
  readonly position: number;
  readonly numHeads: number;
  /** 0 = all. */
  readonly window: number;
  /** 0 = none. */
  readonly softcap: number;
  /** Bias [headDim] that is added to a kv head's key at a position; default none. */
  readonly keyBias?: (kvHead: number, position: number) => ArrayLike<number>;
}

/** out[h, d] = softmax_t(softcap(q[h] · k^[t])) v^[t, d] over the tokens that the query at `position` sees. */
export function attentionTwin(q: ArrayLike<number>, call: AttentionTwin): Float32Array {
  const { kv, table, position, numHeads, window, softcap, keyBias } = call;
  const { headDim, numKvHeads } = kv.layout;
  const first = window === 0 ? 0 : Math.max(0, position + 1 - window);
  const out = new Float32Array(numHeads * headDim);
  for (let kvHead = 0; kvHead < numKvHeads; kvHead++) {
    const tokens = Array.from({ length: position + 1 - first }, (_, i) => first + i);
    const rows = (side: 'k' | 'v') =>
      tokens.map((t) =>
        Float64Array.from({ length: headDim }, (_, d) => kv.value(table, side, kvHead, t, d)),
      );
    const values = rows('v');
    const keys = rows('k').map((key, i) => {
      const bias = keyBias?.(kvHead, first + i);
      return bias ? key.map((k, d) => k + (bias[d] ?? Number.NaN)) : key;
    });
    const ratio = numHeads / numKvHeads;
    for (let h = kvHead * ratio; h < (kvHead + 1) * ratio; h++) {
      const scores = keys.map((key) => {
        const raw = key.reduce((sum, k, d) => sum + k * (q[h * headDim + d] ?? Number.NaN), 0);
        return softcap === 0 ? raw : softcap * Math.tanh(raw / softcap);
      });
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let d = 0; d < headDim; d++) {
        const sum = values.reduce(
          (acc, value, t) => acc + (weights[t] ?? Number.NaN) * (value[d] ?? Number.NaN),
          0,
        );
        out[h * headDim + d] = sum / total;
      }
    }
  }
  return out;
}
