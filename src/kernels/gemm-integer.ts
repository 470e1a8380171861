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

const SUM_PARAMS = { ...LINEAR_PARAMS, num_parts: 'u32' } as const;

const SUM_PROGRAM: ShaderProgram = {
  name: 'sum_parts',
  source: sumSource,
  params: SUM_PARAMS,
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
  readonly cost: TileCost;
}

/** Of a round, a group of K for each of warpsK. */
interface TileCost {
  /** Workgroups that a processor has room for. */
  readonly atOnce: number;
  /** Microseconds of a workgroup that is alone on its processor, on an H100. */
  readonly alone: number;
  /** Of each where there are many. */
  readonly each: number;
}

function tile(
  [tm, tn]: readonly [number, number],
  warps: IntegerTile['warps'],
  [atOnce, alone, each]: readonly [number, number, number],
): IntegerTile {
  return { tm, tn, warps, cost: { atOnce, alone, each } };
}

export const INTEGER_TILES = {
  '64x128': tile([2, 2], [2, 4, 1], [1, 2.06, 2.06]),
  '32x64': tile([1, 1], [2, 4, 1], [2, 1.12, 0.76]),
  '32x64 in 4': tile([1, 2], [2, 2, 1], [2, 1.26, 0.74]),
  '32x32': tile([1, 1], [2, 2, 1], [3, 1.06, 0.5]),
  '16x64': tile([1, 1], [1, 4, 1], [3, 1.17, 0.49]),
  '16x32': tile([1, 1], [1, 2, 1], [5, 1.25, 0.26]),
  '16x32 / 4': tile([1, 1], [1, 2, 4], [1, 1.73, 1.73]),
} as const satisfies Record<string, IntegerTile>;

const TILES = Object.values<IntegerTile>(INTEGER_TILES);
/** Processors of a large GPU. */
const PROCESSORS = 132;
/** Of K, ascending. */
const PARTS = [1, 2, 3, 4, 6, 8, 10, 14];
/** Microseconds of what finishes the sums of parts, and of each float of them. */
const SUM_COST = 6;
const SUM_FLOAT_COST = 1.6e-6;

/**
 * The cut that should be done first (test/bench/NOTES.md, 27). A chunk asks for that of every linear, each time: so next to
 * nothing is made on the way.
 */
export function integerCut(call: LinearCall, partFloats: number): IntegerCut {
  const { weight, gate } = call;
  const groups = integerGroups(weight);
  // So that only every sixteenth row may change the kernel.
  const numRows = Math.ceil(call.numRows / 16) * 16;
  const floats = partStride(call) * numRows;
  const maxParts = gate ? 1 : Math.min(groups / 2, partFloats / floats);
  let best: IntegerCut = { tile: INTEGER_TILES['64x128'], parts: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const tile of TILES) {
    const [bm, bn] = tileSize(tile);
    const tiles = Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
    for (const parts of PARTS) {
      if (parts > 1 && parts > maxParts) break;
      const rounds = Math.ceil(groups / (parts * tile.warps[2]));
      const sums = parts > 1 ? SUM_COST + parts * floats * SUM_FLOAT_COST : 0;
      const cost = rounds * roundCost(tile.cost, parts * tiles) + sums;
      if (cost < least) {
        least = cost;
        best = { tile, parts };
      }
    }
  }
  return best;
}

/** Microseconds of a round of so many workgroups, all rounds of those that come later included. */
function roundCost({ atOnce, alone, each }: TileCost, workgroups: number): number {
  const places = PROCESSORS * atOnce;
  const full = Math.floor(workgroups / places);
  const left = Math.ceil((workgroups - full * places) / PROCESSORS);
  return full * Math.max(alone, atOnce * each) + (left > 0 ? Math.max(alone, left * each) : 0);
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
  const key = `${linearKey(product)} ${tile.tm} ${tile.tn} ${tile.warps} ${isSplit}`;
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

/** What finishes the sums that workgroups have left, f32 [parts][numRows][N rounded up to 4] at `partsAt`; without the norm. */
export function sumParts(gpu: Gpu, call: LinearCall, partsAt: number, parts: number): Dispatch {
  const summed = { ...call, inAt: partsAt, inStride: partStride(call) };
  const pipeline = gpu.pipelines.requestOnce(SUM_PROGRAM, linearKey(summed), () => ({
    ...gpu.defines,
    ...linearDefines(summed),
    WG_SIZE: SUM_THREADS,
  }));
  const workgroups = [Math.ceil(summed.inStride / 4 / SUM_THREADS), call.numRows, 1] as const;
  return { pipeline, params: Uint32Array.of(...linearParams(summed), parts), workgroups };
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
    GK: groupCols,
    GROUPS: integerGroups(weight),
    STEPS: groupCols / 32,
    X_ITEMS: Math.ceil((warpsK * bm * groupCols) / 8 / numThreads),
    W_ITEMS: Math.ceil((warpsK * bn * groupCols) / vectorCols / numThreads),
    PADDED_K: weight.paddedCols,
  };
}
