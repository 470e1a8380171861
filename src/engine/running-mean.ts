/** The mean after a new measurement, whose share of it is `share`: older ones weigh ever less. null: none was made before. */
export function meanWith(mean: number | null, value: number, share: number): number {
  return mean === null ? value : mean + share * (value - mean);
}
