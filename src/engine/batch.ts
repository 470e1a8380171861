import type { BlockCopy } from '../kvcache/block-allocator';
import type { SamplingParams } from './sampling-params';

/** Tokens of one prompt that a step computes. Rows are the tokens `startPosition … startPosition + tokenIds.length − 1` of the sequence. */
export interface PrefillBatch {
  readonly slot: number;
  readonly tokenIds: Uint32Array;
  readonly startPosition: number;
  /**
   * Tokens of the whole prompt, later steps included: ropes that depend on the length go by it. null: the rows are those of
   * a completion that is computed again, whose tokens came one by one.
   */
  readonly totalTokens: number | null;
  /** Block ids of the sequence from position 0; covers every row. Grows later: copy it in `submit`. */
  readonly blockTable: readonly number[];
  /** True for the end of the prompt: its last row is sampled, and the id becomes the slot's token. */
  readonly sample: boolean;
  /**
   * True for the last token of a sequence and a draft of what may follow it: every row is sampled, as if the tokens before
   * it were right, and nothing is fed back. The next decode row of the slot brings its token. At most `maxVerifiedRows`.
   */
  readonly verifies: boolean;
}

export interface DecodeRow {
  readonly slot: number;
  /** Position of the token that this step processes; the slot's own counter must agree. */
  readonly position: number;
  /** Covers `position`. */
  readonly blockTable: readonly number[];
  /** Takes the place of what the slot holds: set for the first row after a draft was verified, else null. */
  readonly tokenId: number | null;
}

/** How probable a sampled id was by the model itself: before penalties, biases, temperature and cuts. */
export interface TokenLogprob {
  /** Natural logarithm. */
  readonly logprob: number;
  /** The most probable ids, as many as were asked for, the most probable first. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/** What a slot is started with. */
export interface SlotStart {
  readonly params: SamplingParams;
  /** All that is known of the sequence: the prompt, and what of the completion has been sampled before. */
  readonly tokenIds: ArrayLike<number>;
  readonly numPromptTokens: number;
  /** Ids that end the completion: none of them is sampled before `params.minTokens`. */
  readonly endIds: readonly number[];
}

/**
 * What one step computes: block copies, then in one pass over the weights one new token for every decode row (the token to
 * process and its position live on the GPU, in the row's slot) and a chunk: rows of one prompt or of several, of slots that are no
 * rows. At least one token.
 */
export interface Batch {
  readonly copies: readonly BlockCopy[];
  readonly rows: readonly DecodeRow[];
  /** No slot twice. A draft is verified alone; and prompts share a chunk only where their keys do not depend on their length. */
  readonly prefills: readonly PrefillBatch[];
}

/** A submitted step. Both resolve when the GPU is done. */
export interface PendingStep {
  /** One sampled id a decode row, then those of the chunk: one of each prompt that samples, one a row of a draft. */
  readonly ids: Promise<Uint32Array>;
  /** For every id, null where the slot does not ask for it; unset when no slot of the step does. */
  readonly logprobs?: Promise<readonly (TokenLogprob | null)[]>;
}

/**
 * What the engine needs of the GPU side. `submit` records and submits at once and never waits: steps run in the order
 * of submission, and a step may be submitted before the ids of the step before it have come back.
 * After a prefill with `sample`, or a decode step, the slot holds the sampled token and the next position, and the
 * token counts for penalties. A draw depends on the seed and the position only, so that a sequence that was preempted and
 * computed again samples the same ids. `ids` always settles: it rejects when the device is lost, and with `steps-lost` when
 * neither this step nor any behind it counts, until `recover`.
 */
export interface StepRunner {
  readonly maxSlots: number;
  /** Longest chunk, in tokens of all its prompts. */
  readonly maxChunkTokens: number;
  /** Most rows of a chunk that verifies a draft. */
  readonly maxVerifiedRows: number;
  /** Prepares a slot for a sequence: sampling parameters, RNG, and the tokens that penalties and bad words go by. */
  startSlot(slot: number, start: SlotStart): void;
  /** `wasIdle`: no other step is in flight, so all wait for this one. */
  submit(batch: Batch, wasIdle: boolean): PendingStep;
  /** After `steps-lost`, with no step in flight: steps count again. */
  recover(): void;
}
