import source from '../../shaders/permute.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { type Dispatch, MAX_WORKGROUPS, workgroupGrid } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
  num_rows: 'u32',
  in_at: 'u32',
  in_stride: 'u32',
  out_at: 'u32',
  out_stride: 'u32',
  perm_at: 'u32',
  norm_at: 'u32',
  eps: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'permute', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Offsets and strides count floats of the scratch buffer. */
export interface PermuteCall {
  readonly numRows: number;
  readonly inAt: number;
  readonly inStride: number;
  /** Must not overlap the input. */
  readonly outAt: number;
  readonly outStride: number;
  /** u32 [K]: column j of the output is column order[j] of the input. */
  readonly order: PlacedTensor;
  /** RMS norm of the input first, its weight in the slab of `order`. */
  readonly norm?: { readonly weight: PlacedTensor; readonly eps: number };
}

const MIN_THREADS = 64;
const MAX_THREADS = 256;

/** out[r, j] = norm(x)[r, order[j]] */
export function permute(gpu: Gpu, call: PermuteCall): Dispatch {
  const { order, norm, numRows } = call;
  if (norm && norm.weight.slab !== order.slab)
    throw new TabmindError('internal', `${order.name}: its norm weight is in another slab`);
  let lanes = 4;
  while (lanes < MAX_THREADS && lanes * 4 < order.cols) lanes *= 2;
  const threads = Math.max(MIN_THREADS, lanes);
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${order.cols} ${norm !== undefined}`, () => ({
    ...gpu.defines,
    K: order.cols,
    LANES: lanes,
    WG_SIZE: threads,
    GRID_WIDTH: MAX_WORKGROUPS,
    NORM: norm !== undefined,
  }));
  const params = packParams(PARAMS, {
    num_rows: numRows,
    in_at: call.inAt,
    in_stride: call.inStride,
    out_at: call.outAt,
    out_stride: call.outStride,
    perm_at: order.byteOffset / 4,
    norm_at: (norm?.weight.byteOffset ?? 0) / 4,
    eps: norm?.eps ?? 0,
  });
  const workgroups = Math.ceil(numRows / (threads / lanes));
  return {
    pipeline,
    params,
    workgroups: workgroupGrid(workgroups),
  };
}
