import source from '../../shaders/rope_append.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { KeyBiasCall } from './key-bias';
import { type KvLayout, kvDefines } from './kv-layout';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  qkv_at: 'u32',
  layer_at: 'u32',
  slot: 'u32',
  start_position: 'u32',
  rope_at: 'u32',
  q_norm_at: 'u32',
  k_norm_at: 'u32',
  eps: 'f32',
  query_scale: 'f32',
  growth_beta: 'f32',
  growth_span: 'u32',
  key_bias_at: 'u32',
  terms_at: 'u32',
  terms_stride: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'rope_append', source, params: PARAMS, bindings: STEP_BINDINGS };

/** RMS norm of every q and k head (Qwen3 and others); weights are f32 vectors of headDim in the bound slab. */
export interface QkNorm {
  readonly q: PlacedTensor;
  readonly k: PlacedTensor;
  readonly eps: number;
  /** Before or after the rotation. */
  readonly when: 'before' | 'after';
}

export interface RopeAppendCall {
  readonly numRows: number;
  /** Float offset in scratch of f32 [numRows][numHeads + 2 · numKvHeads][headDim]; q is rewritten in place. */
  readonly qkvAt: number;
  readonly numHeads: number;
  /** null: no positions (NoPE). `table`: which rope table; `rotaryDim` ≤ headDim leading dims are rotated. */
  readonly rope: { readonly table: number; readonly rotaryDim: number; readonly interleaved: boolean } | null;
  readonly qkNorm?: QkNorm | undefined;
  /** The softmax scale, multiplied into q. */
  readonly queryScale: number;
  /** Queries at position p are also multiplied by 1 + beta · ln(1 + ⌊p / span⌋). */
  readonly queryGrowth?: { readonly beta: number; readonly span: number } | null;
  /** What is subtracted from K before the rope, and the terms that queries get for it; not together with `qkNorm`. */
  readonly keyBias?: KeyBiasCall | null;
  /** Word offset of the layer in the bound KV slab. */
  readonly layerAt: number;
  readonly prefill: { readonly slot: number; readonly startPosition: number } | null;
}

/** Norms and rotates q and k, scales q in place, quantises k and v into the paged cache at each row's position. */
export function ropeAppend(gpu: Gpu, state: StateLayout, layout: KvLayout, call: RopeAppendCall): Dispatch {
  const { numRows, numHeads, rope, qkNorm, prefill, queryGrowth = null, keyBias = null } = call;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, 1, false),
    WG_SIZE: 32,
    LANES: 32,
    HEADS: numHeads,
    ROTARY_DIM: rope?.rotaryDim ?? 0,
    INTERLEAVED: rope?.interleaved ?? false,
    NORM: qkNorm ? { before: 1, after: 2 }[qkNorm.when] : 0,
    QUERY_GROWTH: queryGrowth !== null,
    KEY_BIAS: keyBias !== null,
    BIAS_PAIRS: keyBias?.numPairs ?? 0,
    PREFILL: prefill !== null,
  });
  const params = packParams(PARAMS, {
    qkv_at: call.qkvAt,
    layer_at: call.layerAt,
    slot: prefill?.slot ?? 0,
    start_position: prefill?.startPosition ?? 0,
    rope_at: state.ropeAt + (rope?.table ?? 0) * state.ropeTableWords,
    q_norm_at: (qkNorm?.q.byteOffset ?? 0) / 4,
    k_norm_at: (qkNorm?.k.byteOffset ?? 0) / 4,
    eps: qkNorm?.eps ?? 0,
    query_scale: call.queryScale,
    growth_beta: queryGrowth?.beta ?? 0,
    growth_span: queryGrowth?.span ?? 1,
    key_bias_at: keyBias?.tableAt ?? 0,
    terms_at: keyBias?.termsAt ?? 0,
    terms_stride: keyBias?.termsStride ?? 0,
  });
  return { pipeline, params, workgroups: [numHeads + 2 * layout.numKvHeads, numRows, 1] };
}
