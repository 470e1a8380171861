/** Σ words, mod 2³². */
export function streamReadTwin(words: Uint32Array): number {
  let sum = 0;
  for (const word of words) sum = (sum + word) >>> 0;
  return sum;
}
