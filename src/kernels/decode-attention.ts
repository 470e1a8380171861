import source from '../../shaders/decode_attention.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { attentionMerge } from './attention-merge';
import { type KeyBiasTerms, keyBiasDefines, keyBiasParams } from './key-bias';
import { headRatio, type KvLayout, kvChunkWords, kvDefines } from './kv-layout';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  q_at: 'u32',
  q_stride: 'u32',
  out_at: 'u32',
  layer_at: 'u32',
  num_splits: 'u32',
  window: 'u32',
  softcap: 'f32',
  key_bias_at: 'u32',
  terms_at: 'u32',
  terms_stride: 'u32',
  rope_at: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'decode_attention', source, params: PARAMS, bindings: STEP_BINDINGS };

export interface DecodeAttentionCall {
  readonly numRows: number;
  readonly numHeads: number;
  /** Workgroups that share the tokens of one row and kv head, 1 … MAX_SPLITS. */
  readonly numSplits: number;
  /** Float offset in scratch of the rotated, scaled queries of row 0, [numHeads][headDim]. */
  readonly qAt: number;
  /** Floats from one row's queries to the next. */
  readonly qStride: number;
  /** Float offset in scratch of f32 [numRows][numHeads · headDim]. */
  readonly outAt: number;
  /** Float offset in scratch of `partialFloats(…)` floats; unused with one split. */
  readonly partialsAt: number;
  /** Tokens that a query sees, itself included; 0 = all. */
  readonly window: number;
  /** cap · tanh(score / cap); 0 = none. */
  readonly softcap: number;
  /** What was subtracted from the keys in the cache. */
  readonly keyBias?: KeyBiasTerms | null;
  /** Word offset of the layer in the bound KV slab. */
  readonly layerAt: number;
}

/** Floats of scratch that the partials of a decode step take; 0 for one split. */
export function partialFloats(
  call: Pick<DecodeAttentionCall, 'numRows' | 'numHeads' | 'numSplits'> & { readonly headDim: number },
): number {
  return call.numSplits === 1 ? 0 : call.numRows * call.numHeads * call.numSplits * (call.headDim + 4);
}

/** How the query heads of one kv head are dealt to workgroups. */
export interface HeadDeal {
  /** Vectors of four heads in a workgroup. */
  readonly headGroups: 1 | 2;
  /** Workgroups for a kv head; more than one above 8 heads. */
  readonly headParts: number;
}

export function dealHeads(ratio: number): HeadDeal {
  return { headGroups: ratio > 4 ? 2 : 1, headParts: Math.ceil(ratio / 8) };
}

/** Attention of every decode row over its paged tokens; with several splits the merge is the second dispatch. */
export function decodeAttention(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: DecodeAttentionCall,
): Dispatch[] {
  const { numRows, numHeads, numSplits, outAt, partialsAt, keyBias = null } = call;
  const { headDim, numKvHeads } = layout;
  const ratio = headRatio(layout, numHeads);
  const { headGroups, headParts } = dealHeads(ratio);
  const split = numSplits > 1;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, kvChunkWords(layout), gpu.math === 'f16'),
    WG_SIZE: 128,
    LANES: 64,
    PREFILL: false,
    HEADS: numHeads,
    RATIO: ratio,
    HEAD_GROUPS: headGroups,
    HEAD_PARTS: headParts,
    SPLIT: split,
    SOFTCAP: call.softcap > 0,
    ...keyBiasDefines(keyBias),
  });
  const params = packParams(PARAMS, {
    q_at: call.qAt,
    q_stride: call.qStride,
    out_at: split ? partialsAt : outAt,
    layer_at: call.layerAt,
    num_splits: numSplits,
    window: call.window === 0 ? 0xffffffff : call.window,
    softcap: call.softcap,
    ...keyBiasParams(state, keyBias),
  });
  const attention: Dispatch = { pipeline, params, workgroups: [numSplits, numKvHeads * headParts, numRows] };
  if (!split) return [attention];
  return [attention, attentionMerge(gpu, { numRows, numHeads, headDim, numSplits, partialsAt, outAt })];
}
