import type { Defines } from '../gpu/shader';

/** Sizes that fix where everything lies in the state buffer. */
export interface StateShape {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly maxBlocksPerSequence: number;
  /** Positions in the rope table, and floats per position (cos, sin pairs: rotaryDim). */
  readonly contextLength: number;
  readonly rotaryDim: number;
  /** Rope tables kept side by side (models with local and global bases); at least 1. */
  readonly numRopeTables: number;
  /** Words of the tables of K biases that are kept out of the cache; default 0. */
  readonly keyBiasWords?: number;
  /** Words of the plan of decode_layers.wgsl; default 0. */
  readonly planWords?: number;
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
  /** f32 bits. */
  frequencyPenalty: 8,
  /** f32 bits. */
  presencePenalty: 9,
  /** Tokens of the prompt: what is behind them is the completion. */
  numPromptTokens: 10,
  /** Place in the sequence from which on the end ids may be sampled. */
  firstEnd: 11,
  /** Of the slot's controls, see src/kernels/adjust.ts. */
  numBiases: 12,
  numEndIds: 13,
  numPhrases: 14,
  /** Most probable ids that are reported with each sampled one. */
  numTop: 15,
} as const;
export const SLOT_WORDS = 16;
/** Token, slot, position. */
export const CHUNK_ROW_WORDS = 3;
/** Slot, position of the first row, rows, and where in the chunk the first and the last of them stand. */
export const PART_WORDS = 5;
/** One that counts; the next region begins at a multiple of 4. */
export const FAILED_WORDS = 4;
/** Of a phase in the plan of decode_layers.wgsl. */
export const PHASE_WORDS = 32;

/** Words of a slot's biases, end ids and bad words; the engine's limits of them fit. */
export const MAX_CONTROL_WORDS = 2048;
/** Rows of one sequence that a step may sample to verify a draft: the last token, and the draft. */
export const MAX_VERIFIED_ROWS = 8;
/** Most probable ids that can be reported. */
export const MAX_TOP = 20;
/** A row's report: logprob of the sampled id, then (id, logprob) of the most probable ones. */
export const LOGPROB_WORDS = 1 + 2 * MAX_TOP;

/** Word offsets into the state buffer (array<u32>). */
export interface StateLayout {
  /** Per decode row: its slot. maxSlots words. */
  readonly rowsAt: number;
  /** 1 when a resident dispatch gave up: what was sampled since then means nothing. 4 words, right before `sampledAt`. */
  readonly failedAt: number;
  /** Per row: the id sampled for it. maxSampledRows words. */
  readonly sampledAt: number;
  readonly slotsAt: number;
  /** Per row of a chunk: CHUNK_ROW_WORDS words, see src/kernels/chunk-rows.ts. */
  readonly chunkAt: number;
  /** Per prompt that has rows in the chunk: PART_WORDS words, see src/kernels/chunk-rows.ts. */
  readonly partsAt: number;
  /** Per slot: block ids from position 0. */
  readonly tablesAt: number;
  readonly tableStride: number;
  /** Per slot: the ids of its sequence from position 0, each written when it is known or sampled. */
  readonly idsAt: number;
  readonly idsStride: number;
  /** Per slot: MAX_CONTROL_WORDS words, see src/kernels/adjust.ts. */
  readonly controlsAt: number;
  /** Per row: LOGPROB_WORDS words, see src/kernels/logprobs.ts. */
  readonly logprobsAt: number;
  /** Rows that a step may sample. */
  readonly maxSampledRows: number;
  /** f32 (cos, sin) pairs: [numRopeTables][contextLength][rotaryDim / 2][2]. */
  readonly ropeAt: number;
  readonly ropeTableWords: number;
  /** Plan of src/kernels/decode-layers.ts. */
  readonly planAt: number;
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
  const idsStride = shape.contextLength;
  const maxSampledRows = Math.max(shape.maxSlots, MAX_VERIFIED_ROWS);
  const ropeTableWords = shape.contextLength * shape.rotaryDim;
  const rowsAt = take(shape.maxSlots);
  const failedAt = take(FAILED_WORDS);
  const sampledAt = take(maxSampledRows);
  const slotsAt = take(shape.maxSlots * SLOT_WORDS);
  const chunkAt = take(shape.maxChunkTokens * CHUNK_ROW_WORDS);
  const partsAt = take(shape.maxSlots * PART_WORDS);
  const tablesAt = take(shape.maxSlots * tableStride);
  const idsAt = take(shape.maxSlots * idsStride);
  const controlsAt = take(shape.maxSlots * MAX_CONTROL_WORDS);
  const logprobsAt = take(maxSampledRows * LOGPROB_WORDS);
  const ropeAt = take(shape.numRopeTables * ropeTableWords);
  const planAt = take(shape.planWords ?? 0);
  const keyBiasAt = take(shape.keyBiasWords ?? 0);
  return {
    rowsAt,
    failedAt,
    sampledAt,
    slotsAt,
    chunkAt,
    partsAt,
    tablesAt,
    tableStride,
    idsAt,
    idsStride,
    controlsAt,
    logprobsAt,
    maxSampledRows,
    ropeAt,
    ropeTableWords,
    planAt,
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
    CHUNK_ROW_WORDS,
    PARTS_AT: layout.partsAt,
    PART_WORDS,
    TABLES_AT: layout.tablesAt,
    TABLE_STRIDE: layout.tableStride,
    IDS_AT: layout.idsAt,
    IDS_STRIDE: layout.idsStride,
    CONTROLS_AT: layout.controlsAt,
    MAX_CONTROL_WORDS,
    LOGPROBS_AT: layout.logprobsAt,
    LOGPROB_WORDS,
    ROPE_AT: layout.ropeAt,
    ROPE_TABLE_WORDS: layout.ropeTableWords,
  };
}
