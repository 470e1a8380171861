import source from '../../shaders/gemm_matrix.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { halve, halvesFloats } from './halve';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearKey, linearParams } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = {
  name: 'gemm_matrix',
  source,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

/**
 * Sizes of a workgroup's tile: bm rows of x and bn rows of W in warpsM × warpsN × warpsK subgroups, the last of which share K, of
 * matrices of 16 × 16; bk columns pass through workgroup memory at a time, and `depth` times as many are on their way.
 */
export interface MatrixTile {
  readonly bm: number;
  readonly bn: number;
  readonly bk: number;
  /** M, N, K */
  readonly warps: readonly [number, number, number];
  readonly depth: number;
}

type Three = readonly [number, number, number];

function tile([bm, bn, bk]: Three, warps: Three, depth: number): MatrixTile {
  return { bm, bn, bk, warps, depth };
}

export const MATRIX_TILES = {
  '128x128': tile([128, 128, 64], [2, 4, 1], 1),
  '64x64': tile([64, 64, 64], [2, 2, 1], 2),
  '64x64 / 2': tile([64, 64, 128], [2, 2, 2], 1),
  '32x64': tile([32, 64, 64], [1, 4, 1], 2),
  '32x32 / 8': tile([32, 32, 256], [1, 1, 8], 2),
  '16x64': tile([16, 64, 64], [1, 4, 1], 1),
  '16x32 / 8': tile([16, 32, 256], [1, 1, 8], 2),
  '16x16 / 8': tile([16, 16, 512], [1, 1, 8], 2),
} as const satisfies Record<string, MatrixTile>;

/** For so many rows at most: tiles, each used where it makes so many workgroups (test/bench/NOTES.md, 16). */
const CHOICES: readonly {
  readonly maxRows: number;
  readonly tiles: readonly (readonly [keyof typeof MATRIX_TILES, minWorkgroups: number])[];
}[] = [
  {
    maxRows: 16,
    tiles: [
      ['16x64', 200],
      ['16x32 / 8', 110],
      ['16x16 / 8', 0],
    ],
  },
  {
    maxRows: 32,
    tiles: [
      ['32x64', 200],
      ['32x32 / 8', 110],
      ['16x32 / 8', 0],
    ],
  },
  {
    maxRows: 64,
    tiles: [
      ['64x64', 200],
      ['64x64 / 2', 64],
      ['32x32 / 8', 0],
    ],
  },
  {
    maxRows: Number.POSITIVE_INFINITY,
    tiles: [
      ['128x128', 110],
      ['64x64', 110],
      ['64x64 / 2', 0],
    ],
  },
];

/**
 * What gemm does, on the matrix units of an adapter that has `matrices`; x and W are rounded to f16. x in halves takes
 * numRows · halvesFloats(K) floats of scratch at `halvesAt`.
 */
export function gemmMatrix(
  gpu: Gpu,
  call: LinearCall,
  halvesAt: number,
  tile: MatrixTile = matrixTile(call),
): Dispatch[] {
  const { numRows, weight } = call;
  const { norm, ...plain } = call;
  const product = { ...plain, inAt: halvesAt, inStride: halvesFloats(weight.cols) };
  const key = `${linearKey(product)} ${tile.bm} ${tile.bn} ${tile.bk} ${tile.warps} ${tile.depth}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, key, () => ({
    ...gpu.defines,
    ...linearDefines(product),
    ...tileDefines(product, tile),
  }));
  const workgroups = [Math.ceil(numRows / tile.bm), Math.ceil(weight.rows / tile.bn), 1] as const;
  return [halve(gpu, call, halvesAt), { pipeline, params: linearParams(product), workgroups }];
}

function tileDefines({ weight }: LinearCall, { bm, bn, bk, warps, depth }: MatrixTile): Defines {
  const [warpsM, warpsN, warpsK] = warps;
  const numThreads = 32 * warpsM * warpsN * warpsK;
  const vectorCols = 128 / FORMAT_BITS[weight.format];
  return {
    SUBGROUP_MATRIX: true,
    BM: bm,
    BN: bn,
    BK: bk,
    DEPTH: depth,
    WARPS_M: warpsM,
    WARPS_N: warpsN,
    WARPS_K: warpsK,
    TM: bm / warpsM / 16,
    TN: bn / warpsN / 16,
    STEPS: bk / warpsK / 16,
    X_ITEMS: Math.ceil((bm * bk) / 8 / numThreads),
    W_ITEMS: Math.ceil((bn * bk) / vectorCols / numThreads),
    VECTOR_OCTETS: vectorCols / 8,
    PADDED_K: weight.paddedCols,
    K_TAIL: weight.paddedCols % bk !== 0,
  };
}

/** The tile that was fastest for such a linear on a large GPU: high ones for many rows, K shared where W has few rows. */
export function matrixTile({ numRows, weight }: LinearCall): MatrixTile {
  const tiles = CHOICES.find(({ maxRows }) => numRows <= maxRows)?.tiles ?? [];
  const workgroups = ({ bm, bn }: MatrixTile) => Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
  const chosen = tiles.find(([name, least]) => workgroups(MATRIX_TILES[name]) >= least);
  return MATRIX_TILES[chosen?.[0] ?? '64x64'];
}
