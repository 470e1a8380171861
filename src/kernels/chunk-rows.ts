import { CHUNK_ROW_WORDS, PART_WORDS } from './step-state';

/** The tokens of one prompt that a chunk computes, at consecutive positions. */
export interface PromptRows {
  readonly slot: number;
  readonly startPosition: number;
  readonly tokenIds: ArrayLike<number>;
  /** The last row is sampled. */
  readonly sample: boolean;
}

/** What attention has to know of them. */
export interface ChunkPart {
  readonly numRows: number;
  readonly startPosition: number;
}

/**
 * The rows of a chunk as the step state holds them: a prompt behind the other, but for the rows that are sampled, which follow
 * each other at the end. `rows` goes to chunkAt and `parts` to partsAt of the state.
 */
export function packChunk(prompts: readonly PromptRows[]): {
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly parts: Uint32Array<ArrayBuffer>;
} {
  const numRows = prompts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const rows = new Uint32Array(numRows * CHUNK_ROW_WORDS);
  const parts = new Uint32Array(prompts.length * PART_WORDS);
  let next = 0;
  let sampled = numRows - prompts.filter(({ sample }) => sample).length;
  for (const [i, { slot, startPosition, tokenIds, sample }] of prompts.entries()) {
    const first = next;
    const last = sample ? sampled++ : first + tokenIds.length - 1;
    next += tokenIds.length - (sample ? 1 : 0);
    parts.set([slot, startPosition, tokenIds.length, first, last], i * PART_WORDS);
    for (let j = 0; j < tokenIds.length; j++) {
      const row = j === tokenIds.length - 1 ? last : first + j;
      const at = row * CHUNK_ROW_WORDS;
      rows[at] = tokenIds[j] ?? 0;
      rows[at + 1] = slot;
      rows[at + 2] = startPosition + j;
    }
  }
  return { rows, parts };
}
