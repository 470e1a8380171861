import type { PrefillBatch } from './batch';
import { type Sequence, seatOf } from './sequence';

/**
 * The next chunk of a sequence, of at most `maxTokens` tokens, which counts as submitted from now on. Keys of prompts beyond
 * `maxFixedTokens` tokens depend on the length of the prompt: there a preempted sequence gets its old keys, and goes on as it
 * would have, only if its completion is kept apart from its prompt.
 */
export function cutChunk(sequence: Sequence, maxTokens: number, maxFixedTokens: number): PrefillBatch {
  const { slot, blockTable } = seatOf(sequence);
  const { numPromptTokens, tokenIds: known, numComputed: startPosition } = sequence;
  const isFixed = numPromptTokens <= maxFixedTokens;
  const isPrompt = isFixed || startPosition < numPromptTokens;
  const end = !isFixed && isPrompt ? numPromptTokens : known.length;
  const tokenIds = Uint32Array.from(known.slice(startPosition, Math.min(end, startPosition + maxTokens)));
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
