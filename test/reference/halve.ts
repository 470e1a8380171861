import { rmsNormTwin } from './rms-norm';

/** Which of eight consecutive k stands where, as codes of the format leave their word. */
const ORDERS = {
  w4: [0, 4, 1, 5, 2, 6, 3, 7],
  w8: [0, 2, 1, 3, 4, 6, 5, 7],
  w16: [0, 1, 2, 3, 4, 5, 6, 7],
} as const;

/** One row of activations as halve.wgsl leaves it, before rounding: [cols rounded up to 32]. */
export function halveTwin(
  x: Float32Array,
  format: keyof typeof ORDERS,
  norm: { readonly gain: Float32Array; readonly eps: number } | null,
): number[] {
  const y = norm ? rmsNormTwin(x, norm.gain, norm.eps) : x;
  return Array.from({ length: Math.ceil(x.length / 32) * 32 }, (_, at) => {
    const value = y[at - (at % 8) + (ORDERS[format][at % 8] ?? 0)] ?? 0;
    return Math.max(-65504, Math.min(65504, value));
  });
}
