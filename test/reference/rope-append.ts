/** What happens to one head before it is stored or used. */
export interface HeadTwin {
  readonly rotaryDim: number;
  readonly interleaved: boolean;
  /** [rotaryDim / 2][2] (cos, sin) of the head's position. */
  readonly angles: ArrayLike<number>;
  readonly norm: {
    readonly weight: ArrayLike<number>;
    readonly eps: number;
    readonly when: 'before' | 'after';
  } | null;
}

/** rope(norm(x)) or norm(rope(x)) of one q or k head. */
export function rotateTwin(x: ArrayLike<number>, head: HeadTwin): number[] {
  const { norm, rotaryDim, interleaved, angles } = head;
  let y = Array.from(x);
  const normed = (v: number[]) => {
    if (!norm) return v;
    const mean = v.reduce((sum, value) => sum + value * value, 0) / v.length;
    return v.map((value, d) => (value * (norm.weight[d] ?? Number.NaN)) / Math.sqrt(mean + norm.eps));
  };
  if (norm?.when === 'before') y = normed(y);
  for (let i = 0; i < rotaryDim / 2; i++) {
    const [p, q] = interleaved ? [2 * i, 2 * i + 1] : [i, i + rotaryDim / 2];
    const [a, b] = [y[p] ?? Number.NaN, y[q] ?? Number.NaN];
    const [cosine, sine] = [angles[2 * i] ?? Number.NaN, angles[2 * i + 1] ?? Number.NaN];
    y[p] = a * cosine - b * sine;
    y[q] = b * cosine + a * sine;
  }
  return norm?.when === 'after' ? normed(y) : y;
}
