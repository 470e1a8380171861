/** Tokens that must have stood together before: fewer are too often a coincidence, more change nothing. */
const MIN_MATCH_TOKENS = 3;
const MAX_MATCH_TOKENS = 6;

/**
 * What followed the last tokens of a sequence where they stood before: the longest match counts (up to MAX_MATCH_TOKENS),
 * of equals the latest. `numTokens` ids, which may go on into the draft itself, as in a text that repeats; none without a
 * match.
 */
export function lookUpDraft(tokenIds: readonly number[], numTokens: number): readonly number[] {
  const source = findMatch(tokenIds);
  if (source === null || numTokens < 1) return [];
  const draft: number[] = [];
  while (draft.length < numTokens) {
    const at = source + draft.length;
    draft.push((at < tokenIds.length ? tokenIds[at] : draft[at - tokenIds.length]) ?? 0);
  }
  return draft;
}

/** Place behind the match; null: none. */
function findMatch(tokenIds: readonly number[]): number | null {
  const end = tokenIds.length;
  let [best, bestLength] = [0, MIN_MATCH_TOKENS - 1];
  for (let at = end - 1; at > bestLength && bestLength < MAX_MATCH_TOKENS; at--) {
    let length = 0;
    while (
      length < MAX_MATCH_TOKENS &&
      length < at &&
      tokenIds[at - 1 - length] === tokenIds[end - 1 - length]
    )
      length++;
    if (length > bestLength) [best, bestLength] = [at, length];
  }
  return bestLength >= MIN_MATCH_TOKENS ? best : null;
}

/** How many tokens of a draft were right: those that were sampled where they stand. */
export function countAccepted(draft: readonly number[], sampled: ArrayLike<number>): number {
  let count = 0;
  while (count < draft.length && draft[count] === sampled[count]) count++;
  return count;
}
