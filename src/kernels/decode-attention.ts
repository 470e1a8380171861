import source from '../../shaders/decode_attention.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { withMerge } from './attention-merge';
import { integerDefines, integerGroupCols, type PreparedOutput } from './integer-rows';
import { headRatio, type KvLayout, kvChunkWords, kvDefines, layoutKey } from './kv-layout';
import type { LinearCall } from './linear-call';
import { PARTS_TOGETHER, type PartSums } from './part-sums';
import { rowDefines } from './prepared-rows';
import {
  ROPE_HEAD_PARAMS,
  type RopeHeadCall,
  ropeHeadDefines,
  ropeHeadKey,
  ropeHeadParams,
} from './rope-head';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  ...ROPE_HEAD_PARAMS,
  qkv_at: 'u32',
  out_at: 'u32',
  layer_at: 'u32',
  num_splits: 'u32',
  window: 'u32',
  softcap: 'f32',
  bias_at: 'u32',
  planes_and_parts: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'decode_attention', source, params: PARAMS, bindings: STEP_BINDINGS };

export interface DecodeAttentionCall extends RopeHeadCall {
  readonly numRows: number;
  readonly numHeads: number;
  /** Workgroups that share the tokens of one row and kv head, 1 … MAX_SPLITS. */
  readonly numSplits: number;
  /** Float offset in scratch of f32 [numRows][numHeads + 2 · numKvHeads][headDim], as the linear left them. */
  readonly qkvAt: number;
  /** Float offset in scratch of f32 [numRows][numHeads · headDim]. */
  readonly outAt: number;
  /** Float offset in scratch of `partialFloats(…)` floats; unused with one split. */
  readonly partialsAt: number;
  /** Tokens that a query sees, itself included; 0 = all. */
  readonly window: number;
  /** cap · tanh(score / cap); 0 = none. */
  readonly softcap: number;
  /** Word offset of the layer in the bound KV slab. */
  readonly layerAt: number;
}

/** What decode attention does of the work of its neighbours. */
export interface AttentionNeighbours {
  /** What the linear before has left to be finished: q ‖ k ‖ v, in the place of `qkvAt`. */
  readonly sums?: PartSums | null;
  /** Leaves, in the place of the output, what integerRows makes of it. */
  readonly prepares?: PreparedOutput | null;
}

/** Threads of a subgroup that share a key at most. */
const MAX_KEY_LANES = 16;
/** Chunks of a thread's share of a key that fit into its registers, a multiple of every batch. */
const MAX_AHEAD = 8;
/** Dims of the queries that do. */
const MAX_HELD_DIMS = 16;
/** Keys that a thread has on their way, and values. */
const KEYS_HELD = 2;
const VALUES_HELD = 8;

/** Query heads that a workgroup takes: the lanes of a vector. */
const HEADS_TOGETHER = 4;

/** Floats of scratch that the partials of a decode step take; 0 for one split. */
export function partialFloats(
  call: Pick<DecodeAttentionCall, 'numRows' | 'numHeads' | 'numSplits'> & { readonly headDim: number },
): number {
  return call.numSplits === 1 ? 0 : call.numRows * call.numHeads * call.numSplits * (call.headDim + 4);
}

/** Threads of a workgroup, each with a token of its own; a power of two. */
export function attentionThreads({ isSoftware, defines }: Pick<Gpu, 'isSoftware' | 'defines'>): number {
  if (isSoftware) return 64;
  return defines.SUBGROUP_SIZE === 0 ? 128 : 256;
}

/**
 * Attention of every decode row over its paged tokens, its own among them: q and k are normed, rotated and scaled, k and v
 * appended to the cache in the same dispatch. With several splits the merge is the second dispatch.
 */
export function decodeAttention(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: DecodeAttentionCall,
  { sums = null, prepares = null }: AttentionNeighbours = {},
  threads = attentionThreads(gpu),
): Dispatch[] {
  const { numRows, numHeads, numSplits, partialsAt, outAt } = call;
  const { headDim, numKvHeads } = layout;
  // Several splits are prepared where they are merged.
  const own = numSplits === 1 ? prepares : null;
  const headParts = headPartsOf(layout, numHeads);
  const shape = `${numHeads} ${ropeHeadKey(call)} ${call.softcap > 0} ${threads} ${neighboursKey(sums, own)}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${layoutKey(state, layout)} ${shape}`, () => ({
    ...attentionDefines(gpu, state, layout, call, threads),
    ...neighbourDefines(sums, own),
  }));
  const params = packParams(PARAMS, {
    ...ropeHeadParams(state, call),
    qkv_at: sums?.partsAt ?? call.qkvAt,
    out_at: numSplits > 1 ? partialsAt : (own?.rowsAt ?? outAt),
    layer_at: call.layerAt,
    num_splits: numSplits,
    window: call.window === 0 ? 0xffffffff : call.window,
    softcap: call.softcap,
    bias_at: (sums?.call.bias?.byteOffset ?? 0) / 4,
    planes_and_parts: (own?.planeRows ?? 0) | ((sums?.parts ?? 0) << 16),
  });
  const attention: Dispatch = { pipeline, params, workgroups: [numSplits, numKvHeads * headParts, numRows] };
  return withMerge(gpu, attention, { numRows, numHeads, headDim, numSplits, partialsAt, outAt, prepares });
}

/** Whether attention can finish what a linear has left: q ‖ k ‖ v of these rows, and a bias at most, in the slab of the norms of its heads. */
export function isHeadsOf(call: DecodeAttentionCall, { call: before }: PartSums): boolean {
  const { bias, outAt, numRows, residualAt, outScale = 1, softcap = 0 } = before;
  return (
    outAt === call.qkvAt &&
    numRows === call.numRows &&
    residualAt === undefined &&
    outScale === 1 &&
    softcap === 0 &&
    (!bias || !call.qkNorm || bias.slab === call.qkNorm.q.slab)
  );
}

/** Whether attention can prepare its output for a linear: groups of it lie within a head. */
export function preparesFor(layout: Pick<KvLayout, 'headDim'>, { weight, norm }: LinearCall): boolean {
  return norm === undefined && layout.headDim % integerGroupCols(weight) === 0;
}

function neighboursKey(sums: PartSums | null, prepares: PreparedOutput | null): string {
  const { format, groupSize } = prepares?.weight ?? {};
  return `${sums !== null} ${sums?.call.bias !== undefined} ${format} ${groupSize}`;
}

function neighbourDefines(sums: PartSums | null, prepares: PreparedOutput | null): Defines {
  return {
    PARTS: sums !== null,
    TOGETHER: PARTS_TOGETHER,
    BIAS: sums?.call.bias !== undefined,
    PREPARES: prepares !== null,
    ...(prepares ? { ...rowDefines(prepares.weight), ...integerDefines(prepares.weight) } : {}),
  };
}

/** Workgroups that share the query heads of one kv head. */
export function headPartsOf(layout: Pick<KvLayout, 'numKvHeads'>, numHeads: number): number {
  return Math.ceil(headRatio(layout, numHeads) / HEADS_TOGETHER);
}

/** Constants of shaders that import `decode_row`. */
export function attentionDefines(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: DecodeAttentionCall,
  threads: number,
): Defines {
  const chunkWords = kvChunkWords(layout);
  const allChunks = layout.rowWords / chunkWords;
  const keyLanes = keyLanesOf(allChunks, gpu.subgroupSize);
  const numChunks = allChunks / keyLanes;
  const chunkDims = (chunkWords * 32) / layout.kvBits;
  return {
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, chunkWords, gpu.math === 'f16'),
    ...ropeHeadDefines(call),
    WG_SIZE: threads,
    // of q0 … q3, k and v
    LANES: Math.min(32, threads / 8),
    CHUNK_DIMS: chunkDims,
    KEY_LANES: keyLanes,
    CHUNKS: numChunks,
    AHEAD: Math.min(MAX_AHEAD, numChunks),
    BATCH: [4, 2, 1].find((batch) => numChunks % batch === 0) ?? 1,
    HELD: Math.min(KEYS_HELD, keyLanes),
    HOLDS_QUERY: numChunks * chunkDims <= MAX_HELD_DIMS,
    VALUES: VALUES_HELD,
    PREFILL: false,
    HEADS: call.numHeads,
    RATIO: headRatio(layout, call.numHeads),
    HEAD_PARTS: headPartsOf(layout, call.numHeads),
    SOFTCAP: call.softcap > 0,
    KEEPS_ROW: true,
    PREPARES: false,
  };
}

/** A power of two that divides the chunks of a key. */
function keyLanesOf(numChunks: number, subgroupSize: number): number {
  let lanes = 1;
  while (2 * lanes <= Math.min(MAX_KEY_LANES, subgroupSize) && numChunks % (2 * lanes) === 0) lanes *= 2;
  return lanes;
}
