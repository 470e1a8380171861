import source from '../../shaders/gemm_integer.wgsl?raw';
import sumSource from '../../shaders/sum_parts.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { integerGroupCols, integerGroups, integerRows } from './integer-rows';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearKey, linearParams } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = {
  name: 'gemm_integer',
  source,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

const SUM_PROGRAM: ShaderProgram = {
  name: 'sum_parts',
  source: sumSource,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

const SUM_THREADS = 64;

/** Where the kernel puts what lies between: float offsets in scratch, multiples of 4. */
export interface IntegerScratch {
  /** The activations in integers: numRows · integerFloats(K) floats. */
  readonly rowsAt: number;
  /** Sums over parts of K, as many floats as there are. */
  readonly partsAt: number;
  readonly partFloats: number;
}

/** How the work is cut: a tile for each workgroup, and the parts of K. */
export interface IntegerCut {
  readonly tile: IntegerTile;
  readonly parts: number;
}

/** Matrices of 16 × 16: tm × tn of a subgroup, of warpsM × warpsN × warpsK subgroups; the last share K. */
export interface IntegerTile {
  readonly tm: number;
  readonly tn: number;
  /** M, N, K */
  readonly warps: readonly [number, number, number];
  /** Sums take the place of what they come from in workgroup memory. */
  readonly shared: boolean;
  /** Microseconds of a group for each of warpsK on an H100, where a processor takes one workgroup at a time. */
  readonly groupCost: number;
}

function tile(
  [tm, tn]: readonly [number, number],
  warps: IntegerTile['warps'],
  groupCost: number,
  shared = false,
): IntegerTile {
  return { tm, tn, warps, shared, groupCost };
}

export const INTEGER_TILES = {
  '64x128': tile([2, 2], [2, 4, 1], 1.9, true),
  '64x64': tile([1, 2], [4, 2, 1], 1.28),
  '32x64': tile([1, 1], [2, 4, 1], 1.02),
  '32x64 / 2': tile([1, 1], [2, 4, 2], 1.72, true),
  '32x32 / 2': tile([1, 1], [2, 2, 2], 1.28),
  '16x64 / 2': tile([1, 1], [1, 4, 2], 1.25),
  '16x32 / 4': tile([1, 1], [1, 2, 4], 1.65),
} as const satisfies Record<string, IntegerTile>;

const TILES = Object.values<IntegerTile>(INTEGER_TILES);
/** Processors of a large GPU. */
const PROCESSORS = 132;
/** Of K, ascending. */
const PARTS = [1, 2, 3, 4, 5, 6, 8];
/** Microseconds of what finishes the sums of parts. */
const SUM_COST = 5;

/**
 * The cut that should be done first (test/bench/NOTES.md, 21). A chunk asks for that of every linear, each time: so next to
 * nothing is made on the way.
 */
export function integerCut(call: LinearCall, partFloats: number): IntegerCut {
  const { numRows, weight, gate } = call;
  const groups = integerGroups(weight);
  const maxParts = gate ? 1 : Math.min(groups / 4, partFloats / (partStride(call) * numRows));
  let best: IntegerCut = { tile: INTEGER_TILES['64x64'], parts: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const tile of TILES) {
    const [bm, bn] = tileSize(tile);
    const tiles = Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
    for (const parts of PARTS) {
      if (parts > 1 && parts > maxParts) break;
      const rounds = Math.ceil(groups / (parts * tile.warps[2]));
      const waves = Math.ceil((parts * tiles) / PROCESSORS);
      const cost = waves * rounds * tile.groupCost + (parts > 1 ? SUM_COST : 0);
      if (cost < least) {
        least = cost;
        best = { tile, parts };
      }
    }
  }
  return best;
}

/** Floats of a row of a part. */
export function partStride({ weight }: Pick<LinearCall, 'weight'>): number {
  return Math.ceil(weight.rows / 4) * 4;
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
  { tile, parts }: IntegerCut = integerCut(call, scratch.partFloats),
): Dispatch[] {
  const { numRows, weight } = call;
  const { norm, ...finished } = call;
  const whole = { ...finished, inAt: scratch.rowsAt, inStride: weight.paddedCols / 2 };
  const isSplit = parts > 1;
  const product = isSplit ? { ...plain(whole), outAt: scratch.partsAt, outStride: partStride(call) } : whole;
  const key = `${linearKey(product)} ${tile.tm} ${tile.tn} ${tile.warps} ${tile.shared} ${isSplit}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, key, () => ({
    ...gpu.defines,
    ...linearDefines(product),
    ...tileDefines(product, tile),
    SPLIT: isSplit,
  }));
  const [bm, bn] = tileSize(tile);
  const workgroups = [Math.ceil(numRows / bm), Math.ceil(weight.rows / bn), parts] as const;
  const dispatches = [
    integerRows(gpu, call, scratch.rowsAt),
    { pipeline, params: linearParams(product), workgroups },
  ];
  return isSplit ? [...dispatches, sumParts(gpu, finished, scratch.partsAt, parts)] : dispatches;
}

/** Without what is fused around it. */
function plain({ weight, numRows, inAt, inStride, outAt }: LinearCall & { inStride: number }): LinearCall {
  return { weight, numRows, inAt, inStride, outAt };
}

function sumParts(gpu: Gpu, call: LinearCall, partsAt: number, parts: number): Dispatch {
  const summed = { ...call, inAt: partsAt, inStride: partStride(call) };
  const pipeline = gpu.pipelines.requestOnce(SUM_PROGRAM, `${linearKey(summed)} ${parts}`, () => ({
    ...gpu.defines,
    ...linearDefines(summed),
    PARTS: parts,
    WG_SIZE: SUM_THREADS,
  }));
  const workgroups = [Math.ceil(summed.inStride / 4 / SUM_THREADS), call.numRows, 1] as const;
  return { pipeline, params: linearParams(summed), workgroups };
}

function tileSize({ tm, tn, warps: [warpsM, warpsN] }: IntegerTile): readonly [number, number] {
  return [tm * warpsM * 16, tn * warpsN * 16];
}

function tileDefines({ weight }: LinearCall, tile: IntegerTile): Defines {
  const [warpsM, warpsN, warpsK] = tile.warps;
  const [bm, bn] = tileSize(tile);
  const numThreads = 32 * warpsM * warpsN * warpsK;
  const groupCols = integerGroupCols(weight);
  const vectorCols = 128 / FORMAT_BITS[weight.format];
  return {
    SUBGROUP_MATRIX: true,
    BM: bm,
    BN: bn,
    TM: tile.tm,
    TN: tile.tn,
    WARPS_M: warpsM,
    WARPS_N: warpsN,
    WARPS_K: warpsK,
    SHARED: tile.shared,
    GK: groupCols,
    GROUPS: integerGroups(weight),
    STEPS: groupCols / 32,
    X_ITEMS: Math.ceil((warpsK * bm * groupCols) / 8 / numThreads),
    W_ITEMS: Math.ceil((warpsK * bn * groupCols) / vectorCols / numThreads),
    PADDED_K: weight.paddedCols,
  };
}
