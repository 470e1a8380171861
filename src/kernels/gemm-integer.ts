import source from '../../shaders/gemm_integer.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { integerGroupCols, integerGroups, integerRows } from './integer-rows';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearParams } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = {
  name: 'gemm_integer',
  source,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

/** Matrices of 16 × 16: tm × tn of a subgroup, of warpsM × warpsN × warpsK subgroups; the last share K. */
export interface IntegerTile {
  readonly tm: number;
  readonly tn: number;
  /** M, N, K */
  readonly warps: readonly [number, number, number];
  /** Groups of columns on their way, for each of warpsK. */
  readonly depth: number;
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
  return { tm, tn, warps, depth: 1, shared, groupCost };
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

/** Processors of a large GPU. */
const PROCESSORS = 132;

/** The tile that should be done first (test/bench/NOTES.md, 21). */
export function integerTile(call: LinearCall): IntegerTile {
  const { numRows, weight } = call;
  const cost = (each: IntegerTile) => {
    const [bm, bn] = tileSize(each);
    const workgroups = Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
    return (
      Math.ceil(workgroups / PROCESSORS) * Math.ceil(integerGroups(weight) / each.warps[2]) * each.groupCost
    );
  };
  return Object.values<IntegerTile>(INTEGER_TILES).reduce((best, each) =>
    cost(each) < cost(best) ? each : best,
  );
}

/** Whether the kernel can take a linear: quantised. */
export function isIntegerLinear({ weight }: LinearCall): boolean {
  return weight.format === 'w4' || weight.format === 'w8';
}

/**
 * What gemm does, on matrix units for bytes; x is rounded to 16-bit integers of one scale a group. They take
 * numRows · integerFloats(K) floats of scratch at `rowsAt`.
 */
export function gemmInteger(
  gpu: Gpu,
  call: LinearCall,
  rowsAt: number,
  tile: IntegerTile = integerTile(call),
): Dispatch[] {
  const { numRows, weight } = call;
  const { norm, ...plain } = call;
  const product = { ...plain, inAt: rowsAt, inStride: weight.paddedCols / 2 };
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...linearDefines(product),
    ...tileDefines(product, tile),
  });
  const [bm, bn] = tileSize(tile);
  const workgroups = [Math.ceil(numRows / bm), Math.ceil(weight.rows / bn), 1] as const;
  return [integerRows(gpu, call, rowsAt), { pipeline, params: linearParams(product), workgroups }];
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
    DEPTH: tile.depth,
    SHARED: tile.shared,
    GK: groupCols,
    GROUPS: integerGroups(weight),
    STEPS: groupCols / 32,
    X_ITEMS: Math.ceil((warpsK * bm * groupCols) / 8 / numThreads),
    W_ITEMS: Math.ceil((warpsK * bn * groupCols) / vectorCols / numThreads),
    PADDED_K: weight.paddedCols,
  };
}
