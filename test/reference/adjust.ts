/** CPU twin of shaders/adjust.wgsl. */

export interface AdjustedRow {
  readonly logits: ArrayLike<number>;
  /** The sequence up to and with the row's token. */
  readonly ids: readonly number[];
  readonly numPromptTokens: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** −100 bans. */
  readonly biases: ReadonlyMap<number, number>;
  /** Banned while the next id's place is below `firstEnd`. */
  readonly endIds: readonly number[];
  readonly firstEnd: number;
  readonly phrases: readonly (readonly number[])[];
}

export const BANNED_LOGIT = Math.fround(-3e38);

/** f32 [vocab] */
export function adjustTwin(row: AdjustedRow): Float32Array {
  const { ids, numPromptTokens, biases, endIds, firstEnd, phrases } = row;
  const banned = new Set([...biases].filter(([, bias]) => bias <= -100).map(([id]) => id));
  if (ids.length < firstEnd) for (const id of endIds) banned.add(id);
  for (const phrase of phrases) {
    const start = phrase.slice(0, -1);
    const end = ids.slice(ids.length - start.length);
    if (ids.length >= start.length && start.every((id, i) => id === end[i])) banned.add(phrase.at(-1) ?? -1);
  }
  const completion = ids.slice(numPromptTokens);
  return Float32Array.from(row.logits, (logit, id) => {
    if (banned.has(id)) return BANNED_LOGIT;
    let x = logit;
    if (ids.includes(id)) x = x > 0 ? x / row.repetitionPenalty : x * row.repetitionPenalty;
    const count = completion.filter((other) => other === id).length;
    if (count > 0) x -= count * row.frequencyPenalty + row.presencePenalty;
    return x + (biases.get(id) ?? 0);
  });
}
