import fewSource from '../../shaders/sum_few_rows.wgsl?raw';
import source from '../../shaders/sum_parts.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import { integerDefines } from './integer-rows';
import { checkInput, type LinearCall, numOutputs } from './linear-call';
import { rowDefines, rowLanes } from './prepared-rows';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = {
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
  plane_rows: 'u32',
} as const;

const SUM: ShaderProgram = { name: 'sum_parts', source, params: PARAMS, bindings: STEP_BINDINGS };

/** The same with what comes next. */
const SUM_ROWS: ShaderProgram = { ...SUM, name: 'sum_integer_rows' };

/** The same of few rows, but that the norm is deferred. */
const SUM_FEW: ShaderProgram = { ...SUM, name: 'sum_few_rows', source: fewSource };

/**
 * Threads that have neighbouring fours of a row, and how many such share the parts of K: six workgroups for a row of 1,536. The
 * more there are, the more processors fetch the code, and the less each has to sum (test/bench/NOTES.md, 40).
 */
const FEW_CUT = { LANES: 64, SHARES: 4 };

/** What workgroups that share K have left of a linear: f32 [parts][numRows][partStride] at float `partsAt` of scratch. */
export interface PartSums {
  readonly call: LinearCall;
  readonly partsAt: number;
  readonly parts: number;
}

/** Parts of K that a thread asks for at a time, where registers hold as much as an octet of each (test/bench/NOTES.md, 38). */
export const PARTS_TOGETHER = 8;

/** Floats of a row of a part. */
export function partStride({ weight }: Pick<LinearCall, 'weight'>): number {
  return Math.ceil(weight.rows / 4) * 4;
}

/** Finishes a linear: sums, bias, scale, softcap and residual. */
export function sumParts(gpu: Gpu, sums: PartSums): Dispatch {
  const { rows } = sums.call.weight;
  const pipeline = gpu.pipelines.requestOnce(SUM, `${rows} ${finishKey(sums.call)}`, () => ({
    ...gpu.defines,
    ...finishDefines(sums.call),
    ...wholeRowCut(rows),
    K: rows,
    NORM: false,
  }));
  return { pipeline, params: sumParams(sums), workgroups: [sums.call.numRows, 1, 1] };
}

/** Whether `next` takes what these sums make, all of it and nothing else, and norms it. If not, sum_parts and integer_rows do the same. */
export function isNormedNext({ call }: PartSums, next: LinearCall): boolean {
  const { weight, bias, numRows, outAt, outStride = numOutputs(call) } = call;
  const { norm, inAt, inStride = next.weight.cols } = next;
  return (
    norm !== undefined &&
    inAt === outAt &&
    inStride === outStride &&
    next.numRows === numRows &&
    next.weight.cols === weight.rows &&
    liesInFours(call) &&
    (bias === undefined || bias.slab === norm.weight.slab)
  );
}

/** Whether four columns of a row are a vector of scratch wherever they go. */
function liesInFours(call: LinearCall): boolean {
  const { weight, outAt, outStride = numOutputs(call), residualAt = 0 } = call;
  return [weight.rows, outAt, outStride, residualAt].every((at) => at % 4 === 0);
}

/**
 * sumParts, and integerRows of what it makes for `next` (isNormedNext) at float `preparedAt`, in the slab of that one's weights;
 * `defersNorm` as there.
 */
export function sumIntegerRows(
  gpu: Gpu,
  sums: PartSums,
  next: LinearCall,
  preparedAt: number,
  planeRows: number,
  defersNorm = false,
): Dispatch {
  checkInput(next);
  const { weight } = next;
  const key = `${finishKey(sums.call)} ${weight.format} ${weight.cols} ${weight.groupSize}`;
  const pipeline = gpu.pipelines.requestOnce(defersNorm ? SUM_FEW : SUM_ROWS, key, () => ({
    ...gpu.defines,
    ...finishDefines(sums.call),
    ...rowDefines(weight),
    ...integerDefines(weight),
    ...(defersNorm ? FEW_CUT : { ...wholeRowCut(weight.paddedCols), NORM: true }),
  }));
  const shares = defersNorm ? Math.ceil(weight.paddedCols / (4 * FEW_CUT.LANES)) : 1;
  return {
    pipeline,
    params: sumParams(sums, next, preparedAt, planeRows),
    workgroups: [sums.call.numRows, shares, 1],
  };
}

function sumParams(
  { call, partsAt, parts }: PartSums,
  next: LinearCall | null = null,
  preparedAt = 0,
  planeRows = 0,
): Uint32Array<ArrayBuffer> {
  return packParams(PARAMS, {
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
    plane_rows: planeRows,
  });
}

/** Of rows of so many columns, a workgroup each. */
function wholeRowCut(cols: number): Defines {
  const lanes = rowLanes(cols);
  const items = Math.ceil(cols / 8 / lanes);
  return { LANES: lanes, ITEMS: items, TOGETHER: Math.max(2, Math.floor(PARTS_TOGETHER / items)) };
}

function finishDefines({ bias, residualAt, softcap = 0 }: LinearCall): Defines {
  return { BIAS: bias !== undefined, GATE: 0, RESIDUAL: residualAt !== undefined, SOFTCAP: softcap > 0 };
}

/** What they follow from. */
function finishKey({ bias, residualAt, softcap = 0 }: LinearCall): string {
  return `${bias !== undefined} ${residualAt !== undefined} ${softcap > 0}`;
}
