/** Joins [numSplits][headDim + 4] partials (max, sum, -, -, weighted values) of one row and head. */
export function attentionMergeTwin(partials: Float32Array, numSplits: number, headDim: number): Float32Array {
  const at = (split: number, i: number) => partials[split * (headDim + 4) + i] ?? Number.NaN;
  const splits = Array.from({ length: numSplits }, (_, split) => split).filter((split) => at(split, 1) > 0);
  const top = Math.max(...splits.map((split) => at(split, 0)));
  const weight = (split: number) => Math.exp(at(split, 0) - top);
  const total = splits.reduce((sum, split) => sum + weight(split) * at(split, 1), 0);
  return Float32Array.from(
    { length: headDim },
    (_, d) => splits.reduce((sum, split) => sum + weight(split) * at(split, 4 + d), 0) / total,
  );
}
