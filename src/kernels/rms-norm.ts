import source from '../../shaders/rms_norm.wgsl?raw';
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
  norm_at: 'u32',
  residual_at: 'u32',
  residual_stride: 'u32',
  residual_scale: 'f32',
  eps: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'rms_norm', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Offsets and strides count floats of the scratch buffer and are multiples of 4. */
export interface RmsNormCall {
  readonly numRows: number;
  readonly cols: number;
  readonly inAt: number;
  /** Default cols. */
  readonly inStride?: number;
  /** May be the input itself, row for row. */
  readonly outAt: number;
  /** Default cols. */
  readonly outStride?: number;
  /** f32 vector [cols]. */
  readonly weight: PlacedTensor;
  readonly eps: number;
  /** out = residual + residualScale · norm(x), rows outStride apart; may be the output itself. */
  readonly residualAt?: number;
  /** Default 1. */
  readonly residualScale?: number;
}

const MIN_THREADS = 64;
const MAX_THREADS = 256;

/** out[r, k] = x[r, k] · g[k] · rsqrt(mean(x[r]²) + eps), optionally added to a residual. */
export function rmsNorm(gpu: Gpu, call: RmsNormCall): Dispatch {
  const { cols, numRows, weight } = call;
  const inStride = call.inStride ?? cols;
  const outStride = call.outStride ?? cols;
  if ([call.inAt, inStride, call.outAt, outStride, call.residualAt ?? 0].some((floats) => floats % 4 !== 0))
    throw new TabmindError(
      'internal',
      `rms_norm of ${weight.name}: offsets and strides must be multiples of 4`,
    );
  let lanes = 4;
  while (lanes < MAX_THREADS && lanes * 4 < cols) lanes *= 2;
  const threads = Math.max(MIN_THREADS, lanes);
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${cols} ${call.residualAt !== undefined}`, () => ({
    ...gpu.defines,
    K: cols,
    K_TAIL: cols % 4 !== 0,
    LANES: lanes,
    WG_SIZE: threads,
    GRID_WIDTH: MAX_WORKGROUPS,
    RESIDUAL: call.residualAt !== undefined,
  }));
  const params = packParams(PARAMS, {
    num_rows: numRows,
    in_at: call.inAt / 4,
    in_stride: inStride / 4,
    out_at: call.outAt / 4,
    out_stride: outStride / 4,
    norm_at: weight.byteOffset / 16,
    residual_at: (call.residualAt ?? 0) / 4,
    residual_stride: outStride / 4,
    residual_scale: call.residualScale ?? 1,
    eps: call.eps,
  });
  const workgroups = Math.ceil(numRows / (threads / lanes));
  return {
    pipeline,
    params,
    workgroups: workgroupGrid(workgroups),
  };
}
