import source from '../../shaders/stage_rows.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { checkInput, type LinearCall } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
  in_at: 'u32',
  in_stride: 'u32',
  out_at: 'u32',
  norm_at: 'u32',
  eps: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'stage_rows', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Columns of a unit, and the bytes that it takes. */
export const STAGED_UNIT = { cols: 32, bytes: 80 } as const;

const MAX_THREADS = 256;
/** In software a workgroup costs less than surplus threads. */
const SOFTWARE_THREADS = 32;

/** Floats of scratch that a staged row of `cols` activations takes. */
export function stagedFloats(cols: number): number {
  return (Math.ceil(cols / STAGED_UNIT.cols) * STAGED_UNIT.bytes) / 4;
}

/** The activations of a linear, normed where it asks for that, as units of 16-bit integers [numRows][units] at float `outAt` of scratch. */
export function stageRows(gpu: Gpu, call: LinearCall, outAt: number): Dispatch {
  checkInput(call);
  const { weight, numRows, norm } = call;
  const units = Math.ceil(weight.cols / STAGED_UNIT.cols);
  let threads = 32;
  while (threads < (gpu.isSoftware ? SOFTWARE_THREADS : MAX_THREADS) && threads < units * 4) threads *= 2;
  const pipeline = gpu.pipelines.requestOnce(
    PROGRAM,
    `${weight.cols} ${norm !== undefined} ${threads}`,
    () => ({
      ...gpu.defines,
      K: weight.cols,
      K_TAIL: weight.cols % 8 !== 0,
      UNITS: units,
      NORM: norm !== undefined,
      LANES: threads,
      WG_SIZE: threads,
    }),
  );
  const params = packParams(PARAMS, {
    in_at: call.inAt / 4,
    in_stride: (call.inStride ?? weight.cols) / 4,
    out_at: outAt / 4,
    norm_at: (norm?.weight.byteOffset ?? 0) / 16,
    eps: norm?.eps ?? 0,
  });
  return { pipeline, params, workgroups: [Math.ceil(units / (threads / 4)), numRows, 1] };
}
