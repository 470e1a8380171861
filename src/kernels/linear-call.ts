import { TabmindError } from '../errors';
import { type Defines, packParams } from '../gpu/shader';
import { FORMAT_BITS, type PlacedTensor } from '../weights/packed-tensor';

/**
 * One linear layer with everything that is fused around it: out = residual + residualScale · f(W · norm(x) + bias).
 * Offsets and strides count floats of the scratch buffer and are multiples of 4 where they concern the input.
 */
export interface LinearCall {
  /** w4 | w8 | w16, [N, K]. */
  readonly weight: PlacedTensor;
  /** Rows of activations, M. */
  readonly numRows: number;
  /** f32 [M][K]. */
  readonly inAt: number;
  /** Default K. */
  readonly inStride?: number;
  /** f32 [M][N], or [M][N / 2] with a gate. Must not overlap the input. */
  readonly outAt: number;
  /** Default N, or N / 2 with a gate. */
  readonly outStride?: number;
  /** RMS norm of the input: x · g · rsqrt(mean(x²) + eps), g an f32 vector in the slab of `weight`. */
  readonly norm?: { readonly weight: PlacedTensor; readonly eps: number };
  /** f32 vector [N] in the slab of `weight`. */
  readonly bias?: PlacedTensor;
  /** N = 2·I, rows [0, I) gate and [I, 2I) up: y[i] = act(gate) · up. */
  readonly gate?: 'silu' | 'gelu_tanh';
  /** Added to the output; rows outStride apart; may equal outAt. */
  readonly residualAt?: number;
  /** Default 1. */
  readonly residualScale?: number;
  /** Multiplies y before the softcap; default 1. */
  readonly outScale?: number;
  /** Above 0: y = softcap · tanh(y / softcap). */
  readonly softcap?: number;
}

/** Scalars of every product with a weight; in_at, in_stride, codes_at and norm_at count 16-byte vectors, the rest words. */
export const LINEAR_PARAMS = {
  codes_at: 'u32',
  scales_at: 'u32',
  rows: 'u32',
  num_rows: 'u32',
  in_at: 'u32',
  in_stride: 'u32',
  out_at: 'u32',
  out_stride: 'u32',
  norm_at: 'u32',
  bias_at: 'u32',
  residual_at: 'u32',
  residual_scale: 'f32',
  eps: 'f32',
  out_scale: 'f32',
  softcap: 'f32',
} as const;

export function linearParams(call: LinearCall): Uint32Array<ArrayBuffer> {
  const { weight, norm, bias } = call;
  const inStride = call.inStride ?? weight.cols;
  checkInput(call);
  check(!bias || bias.slab === weight.slab, `${weight.name}: its bias is in another slab`);
  check(!call.gate || weight.rows % 2 === 0, `${weight.name}: gate and up have ${weight.rows} rows together`);
  return packParams(LINEAR_PARAMS, {
    codes_at: weight.byteOffset / 16,
    scales_at: (weight.byteOffset + weight.codesBytes) / 4,
    rows: weight.rows,
    num_rows: call.numRows,
    in_at: call.inAt / 4,
    in_stride: inStride / 4,
    out_at: call.outAt,
    out_stride: call.outStride ?? numOutputs(call),
    norm_at: (norm?.weight.byteOffset ?? 0) / 16,
    bias_at: (bias?.byteOffset ?? 0) / 4,
    residual_at: call.residualAt ?? 0,
    residual_scale: call.residualScale ?? 1,
    eps: norm?.eps ?? 0,
    out_scale: call.outScale ?? 1,
    softcap: call.softcap ?? 0,
  });
}

/** Defines common to them: the shape along K and what is fused. */
export function linearDefines(call: LinearCall): Defines {
  const { weight } = call;
  return { ...fusedDefines(call), K: weight.cols, NUM_GROUPS: weight.numGroups };
}

/** Those that do not depend on K where the weight is quantised. */
export function fusedDefines(call: LinearCall): Defines {
  const { weight } = call;
  return {
    BITS: FORMAT_BITS[weight.format],
    // w16 has no groups; a group as long as the row keeps the arithmetic defined.
    GROUP_SIZE: weight.groupSize || weight.paddedCols,
    NORM: call.norm !== undefined,
    BIAS: call.bias !== undefined,
    GATE: call.gate === undefined ? 0 : call.gate === 'silu' ? 1 : 2,
    RESIDUAL: call.residualAt !== undefined,
    SOFTCAP: (call.softcap ?? 0) > 0,
  };
}

/** Throws `internal` where kernels would read something else than the input and its norm. */
export function checkInput({ weight, norm, inAt, inStride = weight.cols }: LinearCall): void {
  check(inAt % 4 === 0 && inStride % 4 === 0, `${weight.name}: input at ${inAt}, stride ${inStride}`);
  check(!norm || norm.weight.slab === weight.slab, `${weight.name}: its norm weight is in another slab`);
}

/** What linearDefines follow from. */
export function linearKey(call: LinearCall): string {
  return `${fusedKey(call)} ${call.weight.cols}`;
}

/** What fusedDefines follow from. */
export function fusedKey({ weight, norm, bias, gate, residualAt, softcap = 0 }: LinearCall): string {
  const { format, groupSize } = weight;
  return `${format} ${groupSize} ${norm !== undefined} ${bias !== undefined} ${gate} ${residualAt !== undefined} ${softcap > 0}`;
}

/** Columns of the output: N, or N / 2 with a gate. */
export function numOutputs(call: LinearCall): number {
  return call.gate ? call.weight.rows / 2 : call.weight.rows;
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new TabmindError('internal', `linear: ${message}`);
}
