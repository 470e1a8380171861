import sumRowsSource from '../../shaders/sum_integer_rows.wgsl?raw';
import sumSource from '../../shaders/sum_parts.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { integerDefines } from './integer-rows';
import { checkInput, type LinearCall, numOutputs } from './linear-call';
import { rowLanes } from './prepared-rows';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
  rows: 'u32',
  num_rows: 'u32',
  parts_at: 'u32',
  part_stride: 'u32',
  num_parts: 'u32',
  out_at: 'u32',
  out_stride: 'u32',
  bias_at: 'u32',
  residual_at: 'u32',
  residual_scale: 'f32',
  out_scale: 'f32',
  softcap: 'f32',
  norm_at: 'u32',
  eps: 'f32',
  prepared_at: 'u32',
} as const;

const SUM: ShaderProgram = { name: 'sum_parts', source: sumSource, params: PARAMS, bindings: STEP_BINDINGS };

const SUM_ROWS: ShaderProgram = { ...SUM, name: 'sum_integer_rows', source: sumRowsSource };

const SUM_THREADS = 64;

/** What workgroups that share K have left of a linear: f32 [parts][numRows][partStride] at float `partsAt` of scratch. */
export interface PartSums {
  readonly call: LinearCall;
  readonly partsAt: number;
  readonly parts: number;
}

/** Floats of a row of a part. */
export function partStride({ weight }: Pick<LinearCall, 'weight'>): number {
  return Math.ceil(weight.rows / 4) * 4;
}

/** Finishes a linear: sums, bias, scale, softcap and residual. */
export function sumParts(gpu: Gpu, sums: PartSums): Dispatch {
  const { call } = sums;
  const pipeline = gpu.pipelines.requestOnce(SUM, finishKey(call), () => ({
    ...gpu.defines,
    ...finishDefines(call),
    WG_SIZE: SUM_THREADS,
  }));
  const workgroups = [Math.ceil(partStride(call) / 4 / SUM_THREADS), call.numRows, 1] as const;
  return { pipeline, params: sumParams(sums), workgroups };
}

/** Whether `next` takes what these sums make, all of it and nothing else, and norms it. */
export function isNormedNext({ call }: PartSums, next: LinearCall): boolean {
  const { weight, bias, numRows, outAt, outStride = numOutputs(call) } = call;
  const { norm, inAt, inStride = next.weight.cols } = next;
  return (
    norm !== undefined &&
    inAt === outAt &&
    inStride === outStride &&
    next.numRows === numRows &&
    next.weight.cols === weight.rows &&
    weight.rows % 4 === 0 &&
    (bias === undefined || bias.slab === norm.weight.slab)
  );
}

/** sumParts, and integerRows of what it makes for `next` (isNormedNext) at float `preparedAt`, in the slab of that one's weights. */
export function sumIntegerRows(gpu: Gpu, sums: PartSums, next: LinearCall, preparedAt: number): Dispatch {
  checkInput(next);
  const { weight } = next;
  const key = `${finishKey(sums.call)} ${weight.format} ${weight.cols} ${weight.groupSize}`;
  const pipeline = gpu.pipelines.requestOnce(SUM_ROWS, key, () => {
    const lanes = rowLanes(weight.cols);
    return {
      ...gpu.defines,
      ...finishDefines(sums.call),
      ...integerDefines(weight),
      LANES: lanes,
      ITEMS: Math.ceil(weight.paddedCols / 8 / lanes),
    };
  });
  return { pipeline, params: sumParams(sums, next, preparedAt), workgroups: [sums.call.numRows, 1, 1] };
}

function sumParams(
  { call, partsAt, parts }: PartSums,
  next: LinearCall | null = null,
  preparedAt = 0,
): Uint32Array<ArrayBuffer> {
  return packParams(PARAMS, {
    rows: call.weight.rows,
    num_rows: call.numRows,
    parts_at: partsAt / 4,
    part_stride: partStride(call) / 4,
    num_parts: parts,
    out_at: call.outAt,
    out_stride: call.outStride ?? numOutputs(call),
    bias_at: (call.bias?.byteOffset ?? 0) / 4,
    residual_at: call.residualAt ?? 0,
    residual_scale: call.residualScale ?? 1,
    out_scale: call.outScale ?? 1,
    softcap: call.softcap ?? 0,
    norm_at: (next?.norm?.weight.byteOffset ?? 0) / 16,
    eps: next?.norm?.eps ?? 0,
    prepared_at: preparedAt / 4,
  });
}

function finishDefines({ bias, residualAt, softcap = 0 }: LinearCall): Defines {
  return { BIAS: bias !== undefined, GATE: 0, RESIDUAL: residualAt !== undefined, SOFTCAP: softcap > 0 };
}

/** What they follow from. */
function finishKey({ bias, residualAt, softcap = 0 }: LinearCall): string {
  return `${bias !== undefined} ${residualAt !== undefined} ${softcap > 0}`;
}
