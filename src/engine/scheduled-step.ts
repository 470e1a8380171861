import type { BlockCopy } from '../kvcache/block-allocator';
import type { Batch, PrefillBatch } from './batch';
import type { Sequence } from './sequence';

/** A batch to submit, and whose rows they are. */
export interface ScheduledStep {
  readonly batch: Batch;
  /** The sequence of every decode row, in row order. */
  readonly decoding: readonly Sequence[];
  /** The sequence of every prompt of the chunk. */
  readonly prefilling: readonly Sequence[];
  /** The sequence of every id that comes back, in order. */
  readonly sampled: readonly Sequence[];
  /** Sequences that this step takes into a slot: the slots have to be started before the batch is submitted. */
  readonly admitted: readonly Sequence[];
  /** The draft that the chunk verifies; null: it is a chunk of a prompt, or there is none. */
  readonly draft: readonly number[] | null;
}

/** A prompt that goes on in a step. */
export interface TakenPrompt {
  readonly sequence: Sequence;
  /** It has just got its place, and `copy` what it shares with another sequence. */
  readonly isNew: boolean;
  readonly copy: BlockCopy | null;
  readonly prefill: PrefillBatch;
}

export interface SchedulerLimits {
  readonly maxSlots: number;
  /** Longest sequence, prompt and completion together, in tokens. */
  readonly contextLength: number;
  /** Beyond so many tokens keys depend on the length, so that sequences share no blocks. Default: no limit. */
  readonly maxSharedTokens?: number;
  /**
   * Longest chunk that may join a step of so many decode rows while so many prompts wait for it, in tokens; 0, never without
   * such rows: none, this time.
   */
  readonly maxChunkFor: (numRows: number, numPrompts: number) => number;
  /** A draft of what follows a sequence that runs alone and may get `room` more tokens. Default: none. */
  readonly draftFor?: (sequence: Sequence, room: number) => readonly number[] | null;
}
