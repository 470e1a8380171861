import source from '../../shaders/gemm_matrix.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearParams } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = {
  name: 'gemm_matrix',
  source,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

/**
 * Sizes of a workgroup's tile: bm rows of x, bn rows of W, bk columns at a time, in warpsM × warpsN subgroups. Powers of
 * two: 16·warpsM divides bm, 16·warpsN divides bn, both 32·warpsM·warpsN ≤ bm·bk/8 and ≤ bn·bk/8, and warpsN is even.
 */
export interface MatrixTile {
  readonly bm: number;
  readonly bn: number;
  readonly bk: number;
  readonly warpsM: number;
  readonly warpsN: number;
}

export const MATRIX_TILES = {
  '128x128': { bm: 128, bn: 128, bk: 64, warpsM: 2, warpsN: 4 },
  '64x64': { bm: 64, bn: 64, bk: 64, warpsM: 2, warpsN: 4 },
  '64x32': { bm: 64, bn: 32, bk: 64, warpsM: 4, warpsN: 2 },
  '32x32': { bm: 32, bn: 32, bk: 64, warpsM: 2, warpsN: 2 },
} as const satisfies Record<string, MatrixTile>;

/** What gemm does, on the matrix units of an adapter that has `matrices`; x and W are rounded to f16. */
export function gemmMatrix(gpu: Gpu, call: LinearCall, tile: MatrixTile = matrixTile(call)): Dispatch[] {
  const { weight, numRows } = call;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...linearDefines(call),
    SUBGROUP_MATRIX: true,
    BM: tile.bm,
    BN: tile.bn,
    BK: tile.bk,
    WARPS_M: tile.warpsM,
    WARPS_N: tile.warpsN,
    TM: tile.bm / tile.warpsM / 16,
    TN: tile.bn / tile.warpsN / 16,
    PADDED_K: weight.paddedCols,
    K_TAIL: weight.cols % tile.bk !== 0,
  });
  const workgroups = [Math.ceil(numRows / tile.bm), Math.ceil(weight.rows / tile.bn), 1] as const;
  return [{ pipeline, params: linearParams(call), workgroups }];
}

/** What was fastest on an H100 for 128 and 512 rows of every linear tried: small tiles hide each other's loads. */
export function matrixTile({ numRows }: LinearCall): MatrixTile {
  return MATRIX_TILES[numRows > 32 ? '64x32' : '32x32'];
}
