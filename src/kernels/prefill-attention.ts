import source from '../../shaders/prefill_attention.wgsl?raw';
import matrixSource from '../../shaders/prefill_matrix.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { withMerge } from './attention-merge';
import type { ChunkPart } from './chunk-rows';
import type { PreparedOutput } from './integer-rows';
import { type KeyBiasTerms, keyBiasDefines, keyBiasParams } from './key-bias';
import { headRatio, type KvLayout, kvDefines, layoutKey } from './kv-layout';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const MATRIX_PARAMS = {
  q_at: 'u32',
  q_stride: 'u32',
  out_at: 'u32',
  layer_at: 'u32',
  num_parts: 'u32',
  num_splits: 'u32',
  window: 'u32',
  softcap: 'f32',
} as const;

const PARAMS = {
  ...MATRIX_PARAMS,
  key_bias_at: 'u32',
  terms_at: 'u32',
  terms_stride: 'u32',
  rope_at: 'u32',
} as const;

const MATRIX_PROGRAM: ShaderProgram = {
  name: 'prefill_matrix',
  source: matrixSource,
  params: MATRIX_PARAMS,
  bindings: STEP_BINDINGS,
};

const PROGRAM: ShaderProgram = { name: 'prefill_attention', source, params: PARAMS, bindings: STEP_BINDINGS };

/**
 * Query rows (chunk row × head of the kv head) of a workgroup of the tile kernel: twice as many take a fifth less time where they
 * still make enough workgroups, and registers hold their results (test/bench/NOTES.md, 32).
 */
function tileRows(gpu: Pick<Gpu, 'isSoftware'>, layout: KvLayout, { parts, numHeads }: QueryShape): 32 | 64 {
  if (layout.headDim > 128 || gpu.isSoftware) return 32;
  const workgroups = queryTiles(parts, headRatio(layout, numHeads), 32) * layout.numKvHeads;
  return workgroups >= LEAST_WORKGROUPS ? 64 : 32;
}
/** Workgroups of 32 query rows that are enough for a large GPU when two are made one. */
const LEAST_WORKGROUPS = 400;
/** Of V, groups of four dims that lie in workgroup memory at a time, by the query rows there. */
const VALUE_CELLS = { 32: 512, 64: 256 } as const;
/** Workgroups that fill a large GPU. */
const FULL_WORKGROUPS = 520;
/** Fewer tokens are not worth a part. */
const LEAST_TOKENS = 128;
/** More parts would only make the merge longer. */
const MAX_PREFILL_SPLITS = 64;
/** Partial results (row × head × part) that a chunk may leave; `(headDim + 4)` floats each. */
export const PREFILL_PARTIALS = 32_768;

export interface PrefillAttentionCall {
  /** Of each prompt, in the order of the step state. */
  readonly parts: readonly ChunkPart[];
  /** Of all of them. */
  readonly numRows: number;
  readonly numHeads: number;
  /** Float offset in scratch of the rotated, scaled queries of row 0 of the chunk, [numHeads][headDim]; a multiple of 4. */
  readonly qAt: number;
  /** Floats from one row's queries to the next; a multiple of 4. */
  readonly qStride: number;
  /** Float offset in scratch of f32 [numRows][numHeads · headDim]; a multiple of 4. */
  readonly outAt: number;
  /** Workgroups that share the tokens of some query rows: see `prefillSplits`. */
  readonly numSplits: number;
  /** Float offset in scratch of numRows · numHeads · numSplits · (headDim + 4) floats, a multiple of 4; unused with one split. */
  readonly partialsAt: number;
  /** Tokens that a query sees, itself included; 0 = all. */
  readonly window: number;
  /** cap · tanh(score / cap); 0 = none. */
  readonly softcap: number;
  /** What was subtracted from the keys in the cache. */
  readonly keyBias?: KeyBiasTerms | null;
  /** Word offset of the layer in the bound KV slab. */
  readonly layerAt: number;
  /** Leaves what integerRows makes of the output instead; for several splits. */
  readonly prepares?: PreparedOutput | null;
}

/** Query rows of a workgroup of the matrix kernel. */
const MATRIX_QUERIES = 64;
/** Tokens that pass through its workgroup memory at a time. */
const MATRIX_TOKENS = 32;
const MATRIX_THREADS = 128;
/** Workgroups of it that a large GPU computes at once. */
const MATRIX_WORKGROUPS = 264;
/** What beginning and ending take of a workgroup, in tiles of tokens. */
const MATRIX_START = 2;

interface QueryShape extends Pick<PrefillAttentionCall, 'parts' | 'numRows' | 'numHeads'> {
  readonly keyBias?: Pick<KeyBiasTerms, 'numPairs'> | null;
}

/** Whether the matrix units take this call: heads of 16 … 128 dims in steps of 16, and no terms of K's bias. */
function fitsMatrices(
  gpu: Pick<Gpu, 'matrices'>,
  { headDim }: KvLayout,
  { keyBias }: Pick<QueryShape, 'keyBias'>,
): boolean {
  return gpu.matrices && headDim % 16 === 0 && headDim <= 128 && (keyBias?.numPairs ?? 0) === 0;
}

/**
 * Parts that the tokens of a chunk are best cut into, so that every processor has work: more for fewer rows; one in software
 * (test/bench/NOTES.md, 27).
 */
export function prefillSplits(
  gpu: Pick<Gpu, 'isSoftware' | 'matrices'>,
  layout: KvLayout,
  call: QueryShape,
): number {
  if (gpu.isSoftware) return 1;
  const ratio = headRatio(layout, call.numHeads);
  const onMatrices = fitsMatrices(gpu, layout, call);
  const queries = onMatrices ? MATRIX_QUERIES : tileRows(gpu, layout, call);
  const workgroups = queryTiles(call.parts, ratio, queries) * layout.numKvHeads;
  const numTokens = Math.max(...call.parts.map((part) => part.startPosition + part.numRows));
  const room = PREFILL_PARTIALS / (call.numRows * call.numHeads);
  const most = Math.floor(Math.min(numTokens / LEAST_TOKENS, room, MAX_PREFILL_SPLITS));
  if (onMatrices) return matrixSplits(workgroups, numTokens, most);
  return Math.max(1, Math.floor(Math.min(FULL_WORKGROUPS / workgroups, most)));
}

/** Workgroups of so many queries: each has those of one prompt. */
function queryTiles(parts: readonly ChunkPart[], ratio: number, queries: number): number {
  return parts.reduce((sum, { numRows }) => sum + Math.ceil((numRows * ratio) / queries), 0);
}

/** Parts with which the last of `workgroups` workgroups a part is done first. */
function matrixSplits(workgroups: number, numTokens: number, most: number): number {
  const tiles = Math.ceil(numTokens / MATRIX_TOKENS);
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let splits = 1; splits <= most; splits++) {
    const waves = Math.ceil((workgroups * splits) / MATRIX_WORKGROUPS);
    const cost = waves * (Math.ceil(tiles / splits) + MATRIX_START);
    if (cost >= least) continue;
    least = cost;
    best = splits;
  }
  return best;
}

/** Causal attention of a chunk, whose K and V are already appended: of each row over positions 0 … its own of its prompt. */
export function prefillAttention(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: PrefillAttentionCall,
): Dispatch[] {
  const { numRows, numHeads, numSplits, outAt, partialsAt, prepares = null } = call;
  if (prepares && numSplits === 1)
    throw new TabmindError('internal', 'attention of one split cannot prepare its output');
  const { headDim } = layout;
  const attend = fitsMatrices(gpu, layout, call) ? attendOnMatrices : attendInTiles;
  const attention = attend(gpu, state, layout, call);
  return withMerge(gpu, attention, { numRows, numHeads, headDim, numSplits, partialsAt, outAt, prepares });
}

function attendOnMatrices(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: PrefillAttentionCall,
): Dispatch {
  const { parts, numHeads, numSplits } = call;
  const ratio = headRatio(layout, numHeads);
  // The first half of every eight dims is in the first half of their matrices.
  const outParts = layout.headDim % 32 === 0 ? 2 : 1;
  const pipeline = gpu.pipelines.requestOnce(MATRIX_PROGRAM, shapeKey(state, layout, call), () => ({
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, ({ 32: 4, 16: 4, 8: 2, 4: 1 } as const)[layout.kvBits], false),
    SUBGROUP_MATRIX: true,
    PREFILL: false,
    TOKENS: MATRIX_TOKENS,
    TOKEN_TILES: MATRIX_TOKENS / 16,
    DIM_TILES: layout.headDim / 16,
    OUT_PARTS: outParts,
    PART_TILES: layout.headDim / 16 / outParts,
    SCORE_QUADS: MATRIX_TOKENS / 8,
    QUERY_ITEMS: (MATRIX_QUERIES * layout.headDim) / 8 / MATRIX_THREADS,
    ITEMS: Math.ceil((MATRIX_TOKENS * layout.headDim) / 8 / MATRIX_THREADS),
    HEADS: numHeads,
    RATIO: ratio,
    SOFTCAP: call.softcap > 0,
    SPLIT: numSplits > 1,
  }));
  const params = packParams(MATRIX_PARAMS, commonParams(call));
  return {
    pipeline,
    params,
    workgroups: [queryTiles(parts, ratio, MATRIX_QUERIES), layout.numKvHeads, numSplits],
  };
}

/** What the defines of both kernels follow from. */
function shapeKey(state: StateLayout, layout: KvLayout, call: PrefillAttentionCall): string {
  const { numHeads, softcap, numSplits, keyBias } = call;
  const bias = keyBias ? `${keyBias.numPairs} ${keyBias.rope.rotaryDim}` : '';
  return `${layoutKey(state, layout)} ${numHeads} ${softcap > 0} ${numSplits > 1} ${bias}`;
}

function commonParams(call: PrefillAttentionCall) {
  return {
    q_at: call.qAt,
    q_stride: call.qStride,
    out_at: call.numSplits > 1 ? call.partialsAt : call.outAt,
    layer_at: call.layerAt,
    num_parts: call.parts.length,
    num_splits: call.numSplits,
    window: call.window === 0 ? 0xffffffff : call.window,
    softcap: call.softcap,
  };
}

/** How the tile kernel shares its rows, and the dims of V, among 128 threads. */
function tileDefines(headDim: number, rows: 32 | 64): Defines {
  const outQuads = Math.ceil(headDim / 64);
  // Of V, what fits beside the probabilities when three workgroups share a processor: a power of two of tokens, at least four.
  const tokens = Math.min(32, 2 ** Math.floor(Math.log2(VALUE_CELLS[rows] / (16 * outQuads))));
  const valueTokens = Math.max(4, tokens);
  return {
    TILE_ROWS: rows,
    SCORE_ROWS: rows / 16,
    OUT_ROWS: rows / 8,
    OUT_QUADS: outQuads,
    V_TOKENS: valueTokens,
    V_ITEMS: Math.max(2, Math.ceil((valueTokens * 16 * outQuads) / 128)),
  };
}

function attendInTiles(gpu: Gpu, state: StateLayout, layout: KvLayout, call: PrefillAttentionCall): Dispatch {
  const { parts, numHeads, numSplits, keyBias = null } = call;
  const ratio = headRatio(layout, numHeads);
  const rows = tileRows(gpu, layout, call);
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${shapeKey(state, layout, call)} ${rows}`, () => {
    const chunkWords = ({ 32: 4, 16: 2, 8: 1, 4: 1 } as const)[layout.kvBits];
    const defines = kvDefines(layout, chunkWords, gpu.math === 'f16');
    return {
      ...gpu.defines,
      ...stateDefines(state),
      ...defines,
      ...tileDefines(layout.headDim, rows),
      PREFILL: false,
      HEADS: numHeads,
      RATIO: ratio,
      SOFTCAP: call.softcap > 0,
      SPLIT: numSplits > 1,
      ...keyBiasDefines(keyBias),
    };
  });
  const params = packParams(PARAMS, { ...commonParams(call), ...keyBiasParams(state, keyBias) });
  return {
    pipeline,
    params,
    workgroups: [queryTiles(parts, ratio, rows), layout.numKvHeads, numSplits],
  };
}
