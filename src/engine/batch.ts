import type { BlockCopy } from '../kvcache/block-allocator';
import type { SamplingParams } from './sampling-params';

/** A chunk of one prompt. Rows are the tokens `startPosition … startPosition + tokenIds.length − 1` of the sequence. */
export interface PrefillBatch {
  readonly slot: number;
  readonly tokenIds: Uint32Array;
  readonly startPosition: number;
  /**
   * Tokens of the whole prompt, later chunks included: ropes that depend on the length go by it. null: the rows are those of
   * a completion that is computed again, whose tokens came one by one.
   */
  readonly totalTokens: number | null;
  /** Block ids of the sequence from position 0; covers every row of the chunk. Grows later: copy it in `submit`. */
  readonly blockTable: readonly number[];
  /** True for the last chunk of the prompt: its last row is sampled, and the id becomes the slot's token. */
  readonly sample: boolean;
}

export interface DecodeRow {
  readonly slot: number;
  /** Position of the token that this step processes; the slot's own counter must agree. */
  readonly position: number;
  /** Covers `position`. */
  readonly blockTable: readonly number[];
}

/**
 * What one step computes, in this order: block copies, one new token for every decode row (the token to process and its
 * position live on the GPU, in the row's slot), then a chunk of a prompt, of a slot that is no row. At least one token.
 */
export interface Batch {
  readonly copies: readonly BlockCopy[];
  readonly rows: readonly DecodeRow[];
  readonly prefill: PrefillBatch | null;
}

/** A submitted step. `ids` resolves when the GPU is done: one sampled id a decode row, then that of the chunk if it samples. */
export interface PendingStep {
  readonly ids: Promise<Uint32Array>;
}

/**
 * What the engine needs of the GPU side. `submit` records and submits at once and never waits: steps run in the order
 * of submission, and a step may be submitted before the ids of the step before it have come back.
 * After a prefill with `sample`, or a decode step, the slot holds the sampled token and the next position, and the
 * token counts as seen. A draw depends on the seed and the position only, so that a sequence that was preempted and
 * computed again samples the same ids. `ids` always settles: it rejects when the device is lost.
 */
export interface StepRunner {
  readonly maxSlots: number;
  /** Longest prefill chunk, in tokens. */
  readonly maxChunkTokens: number;
  /** Prepares a slot for a sequence: sampling parameters, RNG, and the tokens that the repetition penalty counts as seen. */
  startSlot(slot: number, params: SamplingParams, seenIds: ArrayLike<number>): void;
  submit(batch: Batch): PendingStep;
}
