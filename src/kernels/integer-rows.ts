import source from '../../shaders/integer_rows.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { FORMAT_BITS, type PlacedTensor } from '../weights/packed-tensor';
import type { LinearCall } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
  num_rows: 'u32',
  in_at: 'u32',
  in_stride: 'u32',
  out_at: 'u32',
  out_stride: 'u32',
  norm_at: 'u32',
  eps: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'integer_rows', source, params: PARAMS, bindings: STEP_BINDINGS };

const MAX_THREADS = 256;
/** Columns whose products are summed before they are scaled, at most. */
const MAX_GROUP_COLS = 128;

/** Columns of activations that share a scale: those of a group of the weight, or a part of it. */
export function integerGroupCols({ groupSize }: Pick<PlacedTensor, 'groupSize'>): number {
  return [MAX_GROUP_COLS, 64, 32].find((cols) => groupSize % cols === 0) ?? 32;
}

export function integerGroups(weight: Pick<PlacedTensor, 'groupSize' | 'paddedCols'>): number {
  return Math.ceil(weight.paddedCols / integerGroupCols(weight));
}

/** Floats of scratch that a row of activations takes at most: two bytes a column, and two floats a group of 32. */
export function integerFloats(cols: number): number {
  const paddedCols = Math.ceil(cols / 32) * 32;
  return paddedCols / 2 + Math.ceil(paddedCols / 64) * 4;
}

/**
 * The activations of a linear, normed where it asks for that, as 16-bit integers at float `outAt` of scratch: bytes
 * [numRows][paddedCols / 8][16], then scales and scaled sums f32 [numRows][groups][2].
 */
export function integerRows(gpu: Gpu, call: LinearCall, outAt: number): Dispatch {
  const { weight, numRows, norm } = call;
  let lanes = 32;
  while (lanes < MAX_THREADS && lanes * 8 < weight.cols) lanes *= 2;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    BITS: FORMAT_BITS[weight.format],
    K: weight.cols,
    PADDED_K: weight.paddedCols,
    GK: integerGroupCols(weight),
    GROUPS: integerGroups(weight),
    K_TAIL: weight.cols % (integerGroups(weight) * integerGroupCols(weight)) !== 0,
    NORM: norm !== undefined,
    LANES: lanes,
    WG_SIZE: MAX_THREADS,
  });
  const params = packParams(PARAMS, {
    num_rows: numRows,
    in_at: call.inAt / 4,
    in_stride: (call.inStride ?? weight.cols) / 4,
    out_at: outAt / 4,
    out_stride: weight.paddedCols / 8,
    norm_at: (norm?.weight.byteOffset ?? 0) / 16,
    eps: norm?.eps ?? 0,
  });
  return { pipeline, params, workgroups: [Math.ceil(numRows / (MAX_THREADS / lanes)), 1, 1] };
}
