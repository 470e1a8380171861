import source from '../../shaders/decode_attention.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { withMerge } from './attention-merge';
import { headRatio, type KvLayout, kvChunkWords, kvDefines, layoutKey } from './kv-layout';
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

/** With more threads than that two share a key: a context is seldom long enough for a key each. */
const SINGLE_KEYS = 256;
/** Chunks of a key that fit into the registers of a thread, a multiple of every batch. */
const MAX_HELD = 8;

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
  threads = attentionThreads(gpu),
): Dispatch[] {
  const { numRows, numHeads, numSplits, outAt, partialsAt } = call;
  const { headDim, numKvHeads } = layout;
  const headParts = headPartsOf(layout, numHeads);
  const shape = `${numHeads} ${ropeHeadKey(call)} ${call.softcap > 0} ${threads}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${layoutKey(state, layout)} ${shape}`, () =>
    attentionDefines(gpu, state, layout, call, threads),
  );
  const params = packParams(PARAMS, {
    ...ropeHeadParams(state, call),
    qkv_at: call.qkvAt,
    out_at: numSplits > 1 ? partialsAt : outAt,
    layer_at: call.layerAt,
    num_splits: numSplits,
    window: call.window === 0 ? 0xffffffff : call.window,
    softcap: call.softcap,
  });
  const attention: Dispatch = { pipeline, params, workgroups: [numSplits, numKvHeads * headParts, numRows] };
  return withMerge(gpu, attention, { numRows, numHeads, headDim, numSplits, partialsAt, outAt });
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
  const keyLanes = gpu.subgroupSize > 1 && threads > SINGLE_KEYS && allChunks % 2 === 0 ? 2 : 1;
  const numChunks = allChunks / keyLanes;
  return {
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, chunkWords, gpu.math === 'f16'),
    ...ropeHeadDefines(call),
    WG_SIZE: threads,
    // of q0 … q3, k and v
    LANES: Math.min(32, threads / 8),
    CHUNK_DIMS: (chunkWords * 32) / layout.kvBits,
    KEY_LANES: keyLanes,
    CHUNKS: numChunks,
    HELD: Math.min(MAX_HELD, numChunks),
    BATCH: [4, 2, 1].find((batch) => numChunks % batch === 0) ?? 1,
    PREFILL: false,
    HEADS: call.numHeads,
    RATIO: headRatio(layout, call.numHeads),
    HEAD_PARTS: headPartsOf(layout, call.numHeads),
    SOFTCAP: call.softcap > 0,
  };
}
