import source from '../../shaders/gemm_integer.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import { FORMAT_BITS } from '../weights/packed-tensor';
import {
  type IntegerCut,
  type IntegerTile,
  integerCut,
  planeRows,
  roundsAhead,
  tileSize,
} from './integer-cut';
import { integerGroupCols, integerGroups, integerRows } from './integer-rows';
import { fusedDefines, fusedKey, LINEAR_PARAMS, type LinearCall, linearParams } from './linear-call';
import { type PartSums, partStride, sumIntegerRows, sumParts } from './part-sums';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = {
  name: 'gemm_integer',
  source,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

/** Where the kernel puts what lies between: float offsets in scratch, multiples of 4. */
export interface IntegerScratch {
  /** The activations in integers: integerFloats(K) floats for each of planeRows. */
  readonly rowsAt: number;
  /** Sums over parts of K, as many floats as there are. */
  readonly partsAt: number;
  readonly partFloats: number;
}

/** Whether the kernel can take a linear: quantised. */
export function isIntegerLinear({ weight }: LinearCall): boolean {
  return weight.format === 'w4' || weight.format === 'w8';
}

/** What gemm does, on matrix units for bytes; x is rounded to 16-bit integers of one scale a group. */
export function gemmInteger(
  gpu: Gpu,
  call: LinearCall,
  scratch: IntegerScratch,
  cut: IntegerCut = integerCut(call, scratch.partFloats),
  before: PartSums | null = null,
): Dispatch[] {
  const sums = partSums(call, scratch, cut);
  return [...integerProduct(gpu, call, scratch, cut, before), ...(sums ? [sumParts(gpu, sums)] : [])];
}

/** What integerProduct leaves to be finished; null: nothing. */
export function partSums(call: LinearCall, scratch: IntegerScratch, { parts }: IntegerCut): PartSums | null {
  return parts > 1 ? { call, partsAt: scratch.partsAt, parts } : null;
}

/**
 * Up to the sums over parts of K. `before`: those of another linear, which are finished and normed first; null: x lies finished;
 * `prepared`: it is in integers already.
 */
export function integerProduct(
  gpu: Gpu,
  call: LinearCall,
  scratch: IntegerScratch,
  cut: IntegerCut,
  before: PartSums | 'prepared' | null,
): Dispatch[] {
  const { tile, parts } = cut;
  const { numRows, weight } = call;
  const { norm, ...finished } = call;
  const { rowsAt } = scratch;
  const defers = defersNorm(call, tile);
  const [bm, bn] = tileSize(tile);
  const isWhole = weight.paddedCols % (integerGroupCols(weight) * tile.warps[2]) === 0;
  const takesFloats = before === null && isWhole && convertsItself(call, tile);
  const rows = takesFloats
    ? { inAt: call.inAt, inStride: weight.cols }
    : { inAt: rowsAt, inStride: weight.paddedCols / 2 };
  const whole = { ...(defers ? call : finished), ...rows };
  const isSplit = parts > 1;
  const product = isSplit ? { ...plain(whole), outAt: scratch.partsAt, outStride: partStride(call) } : whole;
  const groups = integerGroups(weight);
  const depth = roundsAhead(groups, cut);
  const hasFourScales = depth === 4 && tile.warps[2] === 1 && weight.numGroups === groups && groups % 4 === 0;
  const { few, tm, tn, warps } = tile;
  const flags = `${hasFourScales} ${isWhole} ${isSplit} ${takesFloats}`;
  const key = `${fusedKey(product)} ${few} ${tm} ${tn} ${warps} ${depth} ${flags}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, key, () => ({
    ...gpu.defines,
    ...fusedDefines(product),
    ...tileDefines(product, tile, takesFloats),
    DEPTH: depth,
    FOUR_SCALES: hasFourScales,
    WHOLE: isWhole,
    SPLIT: isSplit,
  }));
  const workgroups = [Math.ceil(numRows / bm), Math.ceil(weight.rows / bn), parts] as const;
  const dispatch = { pipeline, params: linearParams(product), workgroups };
  if (before === 'prepared' || takesFloats) return [dispatch];
  const planes = planeRows(numRows, tile);
  return [
    before
      ? sumIntegerRows(gpu, before, call, rowsAt, planes, defers)
      : integerRows(gpu, call, rowsAt, planes, defers),
    dispatch,
  ];
}

/** Without what is fused behind it. */
function plain(call: LinearCall & { inStride: number }): LinearCall {
  const { weight, numRows, inAt, inStride, outAt, norm } = call;
  return { weight, numRows, inAt, inStride, outAt, ...(norm ? { norm } : {}) };
}

/**
 * Whether the product norms its rows, so that who prepares them need not see whole ones: with larger tiles that takes longer than it
 * saves (test/bench/NOTES.md, 40).
 */
function defersNorm({ norm }: LinearCall, { few }: IntegerTile): boolean {
  return few && norm !== undefined;
}

/**
 * Columns that all workgroups together may bring into integers: up to here that is faster than a launch which does it once for
 * all of them (test/bench/NOTES.md, 39).
 */
const MAX_CONVERTED = 300_000;

/** Whether each workgroup brings the few rows that it takes into integers itself. */
function convertsItself({ weight, norm, inStride = weight.cols }: LinearCall, tile: IntegerTile): boolean {
  const { rows, cols, paddedCols } = weight;
  const [, bn] = tileSize(tile);
  const isPlain = norm === undefined && cols === paddedCols && inStride === cols;
  return tile.few && isPlain && Math.ceil(rows / bn) * cols <= MAX_CONVERTED;
}

function tileDefines({ weight }: LinearCall, tile: IntegerTile, takesFloats: boolean): Defines {
  const [warpsM, warpsN, warpsK] = tile.warps;
  const [bm, bn] = tileSize(tile);
  const numThreads = 32 * warpsM * warpsN * warpsK;
  const groupCols = integerGroupCols(weight);
  const vectorCols = 128 / FORMAT_BITS[weight.format];
  // Bytes h and l of 16 k are a vector each; floats come eight at a time.
  const xItems = (warpsK * bm * groupCols) / 8;
  return {
    SUBGROUP_MATRIX: true,
    FLOATS: takesFloats,
    FEW: tile.few,
    ROW_FOURS: tile.few ? 1 : 2,
    BM: bm,
    BN: bn,
    TM: tile.tm,
    TN: tile.tn,
    WARPS_M: warpsM,
    WARPS_N: warpsN,
    WARPS_K: warpsK,
    GK: groupCols,
    STEPS: groupCols / 32,
    X_ITEMS: Math.ceil(xItems / numThreads),
    W_ITEMS: Math.ceil((warpsK * bn * groupCols) / vectorCols / numThreads),
  };
}
