import type { Defines } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { KeyBiasCall } from './key-bias';
import type { StateLayout } from './step-state';

/** RMS norm of every q and k head (Qwen3 and others); weights are f32 vectors of headDim in the bound slab. */
export interface QkNorm {
  readonly q: PlacedTensor;
  readonly k: PlacedTensor;
  readonly eps: number;
  /** Before or after the rotation. */
  readonly when: 'before' | 'after';
}

/** What becomes of q and k on their way into attention: shaders/shared/rope_head.wgsl. */
export interface RopeHeadCall {
  /** null: no positions (NoPE). `table`: which rope table; `rotaryDim` ≤ headDim leading dims are rotated. */
  readonly rope: { readonly table: number; readonly rotaryDim: number; readonly interleaved: boolean } | null;
  readonly qkNorm?: QkNorm | undefined;
  /** The softmax scale, multiplied into q. */
  readonly queryScale: number;
  /** Queries at position p are also multiplied by 1 + beta · ln(1 + ⌊p / span⌋). */
  readonly queryGrowth?: { readonly beta: number; readonly span: number } | null;
  /** What is subtracted from K before the rope, and the terms that queries get for it; not together with `qkNorm`. */
  readonly keyBias?: KeyBiasCall | null;
}

export const ROPE_HEAD_PARAMS = {
  rope_at: 'u32',
  q_norm_at: 'u32',
  k_norm_at: 'u32',
  eps: 'f32',
  query_scale: 'f32',
  growth_beta: 'f32',
  growth_span: 'u32',
  key_bias_at: 'u32',
} as const;

export function ropeHeadDefines({ rope, qkNorm, queryGrowth, keyBias }: RopeHeadCall): Defines {
  return {
    ROTARY_DIM: rope?.rotaryDim ?? 0,
    INTERLEAVED: rope?.interleaved ?? false,
    NORM: qkNorm ? { before: 1, after: 2 }[qkNorm.when] : 0,
    QUERY_GROWTH: Boolean(queryGrowth),
    KEY_BIAS: Boolean(keyBias),
    BIAS_PAIRS: keyBias?.numPairs ?? 0,
    STAGED_HEADS: false,
    KEEPS_ROW: false,
    LAYERS_DIFFER: false,
  };
}

/** What ropeHeadDefines follow from. */
export function ropeHeadKey({ rope, qkNorm, queryGrowth, keyBias }: RopeHeadCall): string {
  const turned = rope ? `${rope.rotaryDim} ${rope.interleaved}` : '';
  return `${turned} ${qkNorm?.when} ${Boolean(queryGrowth)} ${keyBias?.numPairs}`;
}

export function ropeHeadParams(state: StateLayout, call: RopeHeadCall) {
  const { rope, qkNorm, queryGrowth, keyBias } = call;
  return {
    rope_at: state.ropeAt + (rope?.table ?? 0) * state.ropeTableWords,
    q_norm_at: (qkNorm?.q.byteOffset ?? 0) / 4,
    k_norm_at: (qkNorm?.k.byteOffset ?? 0) / 4,
    eps: qkNorm?.eps ?? 0,
    query_scale: call.queryScale,
    growth_beta: queryGrowth?.beta ?? 0,
    growth_span: queryGrowth?.span ?? 1,
    key_bias_at: keyBias?.tableAt ?? 0,
  };
}
