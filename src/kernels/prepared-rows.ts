import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { FORMAT_BITS, type PlacedTensor } from '../weights/packed-tensor';
import { checkInput, type LinearCall } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
  num_rows: 'u32',
  plane_rows: 'u32',
  in_at: 'u32',
  in_stride: 'u32',
  prepared_at: 'u32',
  norm_at: 'u32',
  eps: 'f32',
} as const;

const MAX_THREADS = 256;

/** A kernel that brings activations into the form that a linear's product takes (shaders/shared/normed_row.wgsl). */
export function preparation(name: string, source: string): ShaderProgram {
  return { name, source, params: PARAMS, bindings: STEP_BINDINGS };
}

/** What a row is in the form that the product takes. */
export function rowDefines({ format, cols, paddedCols }: PlacedTensor): Defines {
  return { BITS: FORMAT_BITS[format], K: cols, PADDED_K: paddedCols };
}

/** Threads that share a row. */
export function rowLanes(cols: number): number {
  let lanes = 32;
  while (lanes < MAX_THREADS && lanes * 8 < cols) lanes *= 2;
  return lanes;
}

/**
 * The activations of a linear, normed where it asks for that, in another form at float `outAt` of scratch. `defines` follow from
 * the weight's columns and groups; `planeRows`: rows that there is room for; `defersNorm`: no workgroup has to see a whole row.
 */
export function prepareRows(
  gpu: Gpu,
  program: ShaderProgram,
  call: LinearCall,
  outAt: number,
  defines: () => Defines,
  planeRows = call.numRows,
  defersNorm = false,
): Dispatch {
  checkInput(call);
  const { weight, numRows, norm } = call;
  const { format, cols, groupSize } = weight;
  const lanes = rowLanes(cols);
  const pipeline = gpu.pipelines.requestOnce(
    program,
    `${format} ${cols} ${groupSize} ${norm !== undefined} ${defersNorm}`,
    () => ({
      ...gpu.defines,
      ...rowDefines(weight),
      NORM: norm !== undefined,
      LANES: lanes,
      WG_SIZE: MAX_THREADS,
      ...defines(),
    }),
  );
  const params = packParams(PARAMS, {
    num_rows: numRows,
    plane_rows: planeRows,
    in_at: call.inAt / 4,
    in_stride: (call.inStride ?? cols) / 4,
    prepared_at: outAt / 4,
    norm_at: (norm?.weight.byteOffset ?? 0) / 16,
    eps: norm?.eps ?? 0,
  });
  // Columns dealt out: a workgroup that takes one octet after the other waits for memory as often.
  const shares = norm && !defersNorm ? 1 : Math.ceil(weight.paddedCols / 8 / lanes);
  return { pipeline, params, workgroups: [Math.ceil(numRows / (MAX_THREADS / lanes)), shares, 1] };
}
