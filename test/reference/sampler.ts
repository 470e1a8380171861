/** CPU twins of shaders/sampler.wgsl: the same integer algorithm in plain loops, and an independent one by sorting. */

export interface SampledRow {
  readonly logits: ArrayLike<number>;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: number;
  /** Of the row; the sampled token is at position + 1. */
  readonly position: number;
}

/** (high, low) words of a · b. */
function multiplyWide(a: number, b: number): [number, number] {
  const product = BigInt(a >>> 0) * BigInt(b >>> 0);
  return [Number(product >> 32n), Number(product & 0xffffffffn)];
}

/** Philox-2x32-10. */
export function philoxTwin(key: number, counter: readonly [number, number]): [number, number] {
  let k = key >>> 0;
  let [x, y] = counter;
  for (let round = 0; round < 10; round++) {
    const [high, low] = multiplyWide(0xd256d193, x);
    [x, y] = [(high ^ k ^ y) >>> 0, low];
    k = (k + 0x9e3779b9) >>> 0;
  }
  return [x, y];
}

/** floor(limit · u), u = the 64 random bits of (seed, position + 1) as a fraction; and u itself. */
export function drawTwin(
  row: SampledRow,
  limit: number,
): { readonly point: number; readonly fraction: number } {
  const [high, low] = philoxTwin(row.seed, [row.position + 1, 0]);
  const bits = (BigInt(high) << 32n) | BigInt(low);
  return { point: Number((BigInt(limit) * bits) >> 64n), fraction: high / 2 ** 32 + low / 2 ** 64 };
}

export function greedyTwin(row: SampledRow): number {
  const scores = Float32Array.from(row.logits);
  let best = 0;
  for (const [id, score] of scores.entries()) if (score > (scores[best] ?? Number.NaN)) best = id;
  return best;
}

/** Where the limit lies: the first level, from the smallest, at which the summed weights reach `goal`. */
function limitTwin(levels: readonly number[], weights: readonly number[], goal: number): number {
  const order = levels.map((_, id) => id).sort((a, b) => (levels[a] ?? 0) - (levels[b] ?? 0));
  let sum = 0;
  for (const id of order) {
    sum += weights[id] ?? 0;
    if (sum >= goal) return levels[id] ?? 0;
  }
  return Number.POSITIVE_INFINITY;
}

/** The shader's algorithm, in doubles rounded to f32 where the shader rounds; its exp may differ by some ulps. */
export function samplerTwin(row: SampledRow): number {
  if (row.temperature === 0) return greedyTwin(row);
  const scores = Float32Array.from(row.logits);
  const top = scores.reduce((a, b) => Math.max(a, b));
  const inverse = Math.fround(1 / Math.fround(row.temperature));
  const levels = Array.from(scores, (score) => {
    const y = Math.fround(Math.fround(top - score) * inverse);
    return y < 32 ? Math.trunc(y * 2 ** 27) : Number.POSITIVE_INFINITY;
  });
  const exponentials = levels.map((level) => Math.fround(Math.exp(-level / 2 ** 27)));
  let limit = 2 ** 32;
  if (row.topK > 0) {
    const ones = levels.map((level) => (level < limit ? 1 : 0));
    limit = Math.min(limit, limitTwin(levels, ones, row.topK));
  }
  const integers = (scale: number) =>
    exponentials.map((e, id) => ((levels[id] ?? 0) <= limit ? Math.round(Math.fround(e * scale)) : 0));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const scale = Math.fround(2 ** 31 / Math.fround(sum(integers(2 ** 24)) / 2 ** 24));
  if (row.topP < 1) {
    const masses = integers(scale);
    const goal = Math.ceil((Math.trunc(Math.fround(row.topP) * 2 ** 32) * sum(masses)) / 2 ** 32);
    limit = Math.min(limit, limitTwin(levels, masses, Math.max(1, goal)));
  }
  if (row.minP > 0) limit = Math.min(limit, Math.trunc(-Math.log(Math.fround(row.minP)) * 2 ** 27));
  const masses = integers(scale);
  let left = drawTwin(row, sum(masses)).point;
  for (const [id, mass] of masses.entries()) {
    if (left < mass) return id;
    left -= mass;
  }
  throw new Error('the draw lies beyond the mass');
}

/**
 * Probabilities after the cuts, by sorting, in doubles: f64 [vocab], 0 where cut. `slack` > 0 widens each boundary by
 * that share of a probability (of a score, for top-k), < 0 narrows it.
 */
export function probabilitiesTwin(row: SampledRow, slack = 0): Float64Array {
  const scores = Float32Array.from(row.logits);
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const score = (rank: number) => scores[order[rank] ?? -1] ?? Number.NaN;
  const weight = (rank: number) => Math.exp((score(rank) - score(0)) / row.temperature);
  let numKept = order.length;
  const cutBelow = (value: number) => {
    while (numKept > 1 && score(numKept - 1) < value) numKept--;
  };
  if (row.topK > 0 && row.topK < order.length) cutBelow(score(row.topK - 1) - slack * row.temperature);
  let total = 0;
  for (let rank = 0; rank < numKept; rank++) total += weight(rank);
  if (row.topP < 1) {
    let sum = 0;
    let rank = -1;
    while (rank < numKept - 1 && (sum < row.topP * (1 + slack) * total || rank < 0)) sum += weight(++rank);
    cutBelow(score(rank) - Math.max(0, slack) * row.temperature);
  }
  if (row.minP > 0) cutBelow(score(0) + row.temperature * Math.log(row.minP * (1 - slack)));
  total = 0;
  for (let rank = 0; rank < numKept; rank++) total += weight(rank);
  const probabilities = new Float64Array(order.length);
  for (let rank = 0; rank < numKept; rank++) probabilities[order[rank] ?? 0] = weight(rank) / total;
  return probabilities;
}
