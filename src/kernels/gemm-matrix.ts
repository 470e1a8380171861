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
 * Sizes of a workgroup's tile: bm rows of x and bn rows of W in warpsM × warpsN subgroups of 1, 2 or 4 × 1 or 2 matrices of
 * 16 × 16; warpsN is even. A thread brings one or two pieces of x and of W.
 */
export interface MatrixTile {
  readonly bm: number;
  readonly bn: number;
  readonly warpsM: number;
  readonly warpsN: number;
}

export const MATRIX_TILES = {
  '128x128': { bm: 128, bn: 128, warpsM: 2, warpsN: 4 },
  '64x64': { bm: 64, bn: 64, warpsM: 2, warpsN: 2 },
  '64x32': { bm: 64, bn: 32, warpsM: 2, warpsN: 2 },
  '32x32': { bm: 32, bn: 32, warpsM: 2, warpsN: 2 },
} as const satisfies Record<string, MatrixTile>;

/** Fewer leave processors of a large GPU idle. */
const MIN_WORKGROUPS = 110;
/** Columns that pass through workgroup memory at a time; as in the shader. */
const BK = 32;

/** What gemm does, on the matrix units of an adapter that has `matrices`; x and W are rounded to f16. */
export function gemmMatrix(gpu: Gpu, call: LinearCall, tile: MatrixTile = matrixTile(call)): Dispatch[] {
  const { weight, numRows } = call;
  const numThreads = 32 * tile.warpsM * tile.warpsN;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...linearDefines(call),
    SUBGROUP_MATRIX: true,
    BM: tile.bm,
    BN: tile.bn,
    WARPS_M: tile.warpsM,
    WARPS_N: tile.warpsN,
    TM: tile.bm / tile.warpsM / 16,
    TN: tile.bn / tile.warpsN / 16,
    X_ITEMS: (tile.bm * BK) / 8 / numThreads,
    W_ITEMS: (tile.bn * BK) / 8 / numThreads,
    PADDED_K: weight.paddedCols,
    K_TAIL: weight.cols % BK !== 0,
  });
  const workgroups = [Math.ceil(numRows / tile.bm), Math.ceil(weight.rows / tile.bn), 1] as const;
  return [{ pipeline, params: linearParams(call), workgroups }];
}

/** The largest tile that leaves work for every processor of a large GPU. */
export function matrixTile({ numRows, weight }: LinearCall): MatrixTile {
  const tiles: readonly MatrixTile[] = Object.values(MATRIX_TILES);
  const enough = tiles.find(
    ({ bm, bn }) => Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn) >= MIN_WORKGROUPS,
  );
  return enough ?? MATRIX_TILES['32x32'];
}
