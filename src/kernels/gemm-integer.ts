import source from '../../shaders/gemm_integer.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { integerGroupCols, integerGroups, integerRows } from './integer-rows';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearKey, linearParams } from './linear-call';
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
/** Where what norms them next finishes them: what it takes longer for that. */
const FUSED_SUM_COST = 1;
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
  // What is added to the residual stream is normed next, but for models that norm it before.
  const sumCost = call.residualAt === undefined ? SUM_COST : FUSED_SUM_COST;
  let best: IntegerCut = { tile: INTEGER_TILES['64x128'], parts: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const tile of TILES) {
    const [bm, bn] = tileSize(tile);
    const tiles = Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
    for (const parts of PARTS) {
      if (parts > 1 && parts > maxParts) break;
      const rounds = Math.ceil(groups / (parts * tile.warps[2]));
      const sums = parts > 1 ? sumCost + parts * floats * SUM_FLOAT_COST : 0;
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

/** Up to the sums over parts of K. `before`: those of another linear, which are finished and normed first; null: x lies finished. */
export function integerProduct(
  gpu: Gpu,
  call: LinearCall,
  scratch: IntegerScratch,
  { tile, parts }: IntegerCut,
  before: PartSums | null,
): Dispatch[] {
  const { numRows, weight } = call;
  const { norm, ...finished } = call;
  const { rowsAt } = scratch;
  const whole = { ...finished, inAt: rowsAt, inStride: weight.paddedCols / 2 };
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
  return [
    before ? sumIntegerRows(gpu, before, call, rowsAt) : integerRows(gpu, call, rowsAt),
    { pipeline, params: linearParams(product), workgroups },
  ];
}

/** Without what is fused around it. */
function plain({ weight, numRows, inAt, inStride, outAt }: LinearCall & { inStride: number }): LinearCall {
  return { weight, numRows, inAt, inStride, outAt };
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
