import source from '../../shaders/gemm.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearKey, linearParams } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = { name: 'gemm', source, params: LINEAR_PARAMS, bindings: STEP_BINDINGS };

/**
 * Sizes of a workgroup's tile: bm rows of x, bn rows of W, bk columns at a time, cut into `slices` between the threads.
 * Powers of two with bm·bn·slices = 4096 (256 threads of 4×4), bm·bk ≤ 1024 and bk a multiple of 4·slices; the tiles,
 * with 16 bytes of padding a row, and 3 KiB of partial sums stay below 16 KiB.
 */
export interface GemmTile {
  readonly bm: number;
  readonly bn: number;
  readonly bk: number;
  readonly slices: number;
}

export const GEMM_TILES = {
  '8x16': { bm: 8, bn: 16, bk: 128, slices: 32 },
  '8x32': { bm: 8, bn: 32, bk: 64, slices: 16 },
  '16x16': { bm: 16, bn: 16, bk: 64, slices: 16 },
  '16x32': { bm: 16, bn: 32, bk: 64, slices: 8 },
  '32x32': { bm: 32, bn: 32, bk: 32, slices: 4 },
  '64x64': { bm: 64, bn: 64, bk: 16, slices: 1 },
} as const satisfies Record<string, GemmTile>;

/** Workgroups below which a large GPU has idle processors. */
const MIN_WORKGROUPS = 128;

/**
 * out[m, n] = Σ_k W[n, k] · x[m, k] with all that LinearCall fuses, for any number of rows. The norm costs no pass of
 * its own: the row's squares are summed while its tiles are loaded, and its scale is applied to the finished sums.
 */
export function gemm(gpu: Gpu, call: LinearCall, tile: GemmTile = gemmTile(gpu, call)): Dispatch[] {
  const { weight, numRows } = call;
  const { bm, bn, bk, slices } = tile;
  const key = `${linearKey(call)} ${bm} ${bn} ${bk} ${slices}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, key, () => ({
    ...gpu.defines,
    ...linearDefines(call),
    BM: bm,
    BN: bn,
    BK: bk,
    SLICES: slices,
    PADDED_K: weight.paddedCols,
    K_TAIL: weight.cols % bk !== 0,
  }));
  const workgroups = [Math.ceil(numRows / bm), Math.ceil(weight.rows / bn), 1] as const;
  return [{ pipeline, params: linearParams(call), workgroups }];
}

/** The largest tile that the rows fill and that leaves work for every processor. */
export function gemmTile(gpu: Pick<Gpu, 'isSoftware'>, call: LinearCall): GemmTile {
  if (gpu.isSoftware) return GEMM_TILES['64x64'];
  const { numRows, weight } = call;
  const wide = weight.rows / 32 >= MIN_WORKGROUPS;
  if (numRows <= 8) return GEMM_TILES[wide ? '8x32' : '8x16'];
  if (numRows <= 16) return GEMM_TILES[wide ? '16x32' : '16x16'];
  const tiles = Math.ceil(numRows / 64) * Math.ceil(weight.rows / 64);
  return GEMM_TILES[numRows > 32 && tiles >= MIN_WORKGROUPS ? '64x64' : '32x32'];
}
