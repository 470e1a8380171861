/** out[k] = x[k] · g[k] / sqrt(mean(x²) + eps): one row. */
export function rmsNormTwin(x: Float32Array, gain: Float32Array, eps: number): Float64Array {
  let squares = 0;
  for (const value of x) squares += value * value;
  const scale = 1 / Math.sqrt(squares / x.length + eps);
  return Float64Array.from(x, (value, k) => value * (gain[k] ?? Number.NaN) * scale);
}
