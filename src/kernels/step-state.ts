import type { Defines } from '../gpu/shader';

/** Sizes that fix where everything lies in the state buffer. */
export interface StateShape {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly maxBlocksPerSequence: number;
  readonly vocabSize: number;
  /** Positions in the rope table, and floats per position (cos, sin pairs: rotaryDim). */
  readonly contextLength: number;
  readonly rotaryDim: number;
  /** Rope tables kept side by side (models with local and global bases); at least 1. */
  readonly numRopeTables: number;
  /** Words of the tables of K biases that are kept out of the cache; default 0. */
  readonly keyBiasWords?: number;
}

/** Words of a slot, by name; shaders/shared/state.wgsl uses the same offsets. */
export const SLOT = {
  /** Index of the token to be processed next. */
  position: 0,
  /** That token. */
  token: 1,
  seed: 2,
  /** f32 bits. */
  temperature: 3,
  topK: 4,
  /** f32 bits. */
  topP: 5,
  /** f32 bits. */
  minP: 6,
  /** f32 bits. */
  repetitionPenalty: 7,
} as const;
export const SLOT_WORDS = 16;

/** Word offsets into the state buffer (array<u32>). */
export interface StateLayout {
  /** Per decode row: its slot. maxSlots words. */
  readonly rowsAt: number;
  /** Per row: the id sampled for it. maxSlots words. */
  readonly sampledAt: number;
  readonly slotsAt: number;
  /** Token ids of the prefill chunk. maxChunkTokens words. */
  readonly chunkAt: number;
  /** Per slot: block ids from position 0. */
  readonly tablesAt: number;
  readonly tableStride: number;
  /** Per slot: one bit a vocabulary id, set where the repetition penalty counts it as seen. */
  readonly seenAt: number;
  readonly seenStride: number;
  /** f32 (cos, sin) pairs: [numRopeTables][contextLength][rotaryDim / 2][2]. */
  readonly ropeAt: number;
  readonly ropeTableWords: number;
  /** Tables of src/kernels/key-bias.ts, one behind the other; last, so that nothing else moves with their size. */
  readonly keyBiasAt: number;
  readonly totalWords: number;
}

export function stateLayout(shape: StateShape): StateLayout {
  let at = 0;
  const take = (words: number) => {
    const start = at;
    at = Math.ceil((at + words) / 4) * 4;
    return start;
  };
  const tableStride = shape.maxBlocksPerSequence;
  const seenStride = Math.ceil(shape.vocabSize / 32);
  const ropeTableWords = shape.contextLength * shape.rotaryDim;
  const rowsAt = take(shape.maxSlots);
  const sampledAt = take(shape.maxSlots);
  const slotsAt = take(shape.maxSlots * SLOT_WORDS);
  const chunkAt = take(shape.maxChunkTokens);
  const tablesAt = take(shape.maxSlots * tableStride);
  const seenAt = take(shape.maxSlots * seenStride);
  const ropeAt = take(shape.numRopeTables * ropeTableWords);
  const keyBiasAt = take(shape.keyBiasWords ?? 0);
  return {
    rowsAt,
    sampledAt,
    slotsAt,
    chunkAt,
    tablesAt,
    tableStride,
    seenAt,
    seenStride,
    ropeAt,
    ropeTableWords,
    keyBiasAt,
    totalWords: at,
  };
}

/** The layout as shader constants, for shaders that import `state`. */
export function stateDefines(layout: StateLayout): Defines {
  return {
    ROWS_AT: layout.rowsAt,
    SAMPLED_AT: layout.sampledAt,
    SLOTS_AT: layout.slotsAt,
    SLOT_WORDS,
    CHUNK_AT: layout.chunkAt,
    TABLES_AT: layout.tablesAt,
    TABLE_STRIDE: layout.tableStride,
    SEEN_AT: layout.seenAt,
    SEEN_STRIDE: layout.seenStride,
    ROPE_AT: layout.ropeAt,
    ROPE_TABLE_WORDS: layout.ropeTableWords,
  };
}
