import { rmsNormTwin } from './rms-norm';

/** out[j] = x[order[j]], of the normed x where there is a gain: one row. */
export function permuteTwin(
  x: Float32Array,
  order: Uint32Array,
  norm: { readonly gain: Float32Array; readonly eps: number } | null,
): Float64Array {
  const values = norm ? rmsNormTwin(x, norm.gain, norm.eps) : Float64Array.from(x);
  return Float64Array.from(order, (k) => values[k] ?? Number.NaN);
}
