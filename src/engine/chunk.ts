import type { PrefillBatch } from './batch';
import { urgencyOf } from './ranking';
import type { TakenPrompt } from './scheduled-step';
import { type Sequence, seatOf } from './sequence';

/** Less than this of a prompt is not worth a place in a chunk. */
const MIN_JOINED_TOKENS = 16;

export interface JoiningLimits {
  /** Keys of longer prompts depend on their length. */
  readonly maxSharedTokens: number;
  readonly blockTokens: number;
}

/** Whether a prompt may be computed in the same step as others, in the `numLeft` tokens that these leave of a chunk. */
export function canJoin(
  sequence: Sequence,
  taken: readonly TakenPrompt[],
  numLeft: number,
  { maxSharedTokens, blockTokens }: JoiningLimits,
): boolean {
  const [most] = taken;
  if (most === undefined) return true;
  // The more urgent would have to wait for it.
  if (urgencyOf(sequence) < urgencyOf(most.sequence)) return false;
  if (numLeft < Math.min(MIN_JOINED_TOKENS, sequence.tokenIds.length - sequence.numComputed)) return false;
  const together = [sequence, ...taken.map((prompt) => prompt.sequence)];
  if (!together.every((each) => hasFixedKeys(each, maxSharedTokens))) return false;
  // What another prompt computes in this step can be shared in the next.
  return (
    sequence.seat !== null ||
    !taken.some(({ sequence: { tokenIds }, prefill: { startPosition } }) =>
      isAlike(sequence.tokenIds, tokenIds, startPosition + blockTokens),
    )
  );
}

/** Keys of longer prompts depend on the length. */
function hasFixedKeys({ numPromptTokens }: Sequence, maxFixedTokens: number): boolean {
  return numPromptTokens <= maxFixedTokens;
}

/** Whether two sequences begin with the same `numTokens` tokens. */
function isAlike(a: readonly number[], b: readonly number[], numTokens: number): boolean {
  if (Math.min(a.length, b.length) < numTokens) return false;
  for (let i = 0; i < numTokens; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The next chunk of a sequence, of at most `maxTokens` tokens, which counts as submitted from now on. Keys of prompts beyond
 * `maxFixedTokens` tokens depend on the length of the prompt: there a preempted sequence gets its old keys, and goes on as it
 * would have, only if its completion is kept apart from its prompt.
 */
export function cutChunk(sequence: Sequence, maxTokens: number, maxFixedTokens: number): PrefillBatch {
  const { slot, blockTable } = seatOf(sequence);
  const { numPromptTokens, tokenIds: known, numComputed: startPosition } = sequence;
  const isFixed = hasFixedKeys(sequence, maxFixedTokens);
  const isPrompt = isFixed || startPosition < numPromptTokens;
  const end = !isFixed && isPrompt ? numPromptTokens : known.length;
  // not `from`, which goes through an iterator: of thousands of tokens that is felt
  const tokenIds = new Uint32Array(known.slice(startPosition, Math.min(end, startPosition + maxTokens)));
  return {
    slot,
    tokenIds,
    startPosition,
    totalTokens: isPrompt ? numPromptTokens : null,
    blockTable: blockTable.blockIds,
    sample: sequence.schedulePrefill(tokenIds.length),
    verifies: false,
  };
}
