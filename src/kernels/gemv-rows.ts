import source from '../../shaders/gemv_rows.wgsl?raw';
import { type Gpu, hasMatrixUnits } from '../gpu/device';
import { type Dispatch, workgroupGrid } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import {
  LINEAR_PARAMS,
  type LinearCall,
  linearDefines,
  linearKey,
  linearParams,
  numOutputs,
} from './linear-call';
import { STAGED_UNIT, stagedFloats, stageRows } from './stage-rows';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = { name: 'gemv_rows', source, params: LINEAR_PARAMS, bindings: STEP_BINDINGS };

/** How the work is cut; lanes, rows of weights and threads are powers of two. */
export interface GemvRowsTile {
  /** Rows of activations that a thread takes at most; more are parts of about the same size. */
  readonly rowsAtOnce: number;
  /** Threads along K for one set of weight rows. */
  readonly lanes: number;
  /** Weight rows of a thread: 1, 2 or 4; with a gate 2 or 4. */
  readonly rowsPerThread: number;
  /** Threads of a workgroup; at least `lanes`. */
  readonly threads: number;
  /** Units of all rows that pass through workgroup memory at a time, at most; rounded to rounds of lanes · depth. */
  readonly chunkUnits: number;
  /** Units of codes that a thread has on their way: 1 or 2. */
  readonly depth: 1 | 2;
}

/** Rows of activations for which it is faster than the other kernels without matrix units. */
const USED_ROWS = { min: 5, max: 16 };
/** Rows that scratch holds. */
export const MAX_STAGED_ROWS = USED_ROWS.max;

/** Workgroup memory for activations at most: more keeps other workgroups away. */
const MAX_CHUNK_BYTES = 20 * 1024;
/** Workgroup memory for sums, beside the activations. */
const SUMS_BYTES = 4 * 1024;
/** Weight rows from which eight threads a pair of them keep a large GPU busy, and sixteen with all rows of x at once. */
const WIDE_ROWS = 9216;
const LEAST_ROWS = 4096;

/**
 * Whether it is to be used: W4 only, without matrix units, which are as fast (test/bench/NOTES.md, 22), and not on a
 * processor, which would emulate the dot product of bytes.
 */
export function usesGemvRows(
  gpu: Pick<Gpu, 'isSoftware' | 'matrices' | 'byteMatrices'>,
  { weight, numRows }: LinearCall,
): boolean {
  if (gpu.isSoftware || hasMatrixUnits(gpu)) return false;
  return weight.format === 'w4' && numRows >= USED_ROWS.min && numRows <= USED_ROWS.max;
}

/**
 * What gemv does for W4, for more rows: activations become integers once, in numRows · stagedFloats(K) floats of scratch at
 * `stagedAt`, and codes are taken apart once for all rows.
 */
export function gemvRows(
  gpu: Gpu,
  call: LinearCall,
  stagedAt: number,
  tile: GemvRowsTile = gemvRowsTile(gpu, call),
): Dispatch[] {
  const { norm, ...plain } = call;
  const product = { ...plain, inAt: stagedAt, inStride: stagedFloats(call.weight.cols) };
  const parts = Math.ceil(call.numRows / tile.rowsAtOnce);
  const defines = tileDefines(gpu, product, tile, Math.ceil(call.numRows / parts));
  const cut = Object.values(defines).join(' ');
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${linearKey(product)} ${cut}`, () => ({
    ...gpu.defines,
    ...linearDefines(product),
    ...defines,
  }));
  const outputs = defines.OUTPUTS * (tile.threads / tile.lanes);
  const workgroups = workgroupGrid(Math.ceil(numOutputs(call) / outputs) * parts);
  return [stageRows(gpu, call, stagedAt), { pipeline, params: linearParams(product), workgroups }];
}

function tileDefines(
  { subgroupSize }: Gpu,
  { weight, gate }: LinearCall,
  { lanes, threads, rowsPerThread, depth, chunkUnits }: GemvRowsTile,
  numRows: number,
): Defines & { readonly OUTPUTS: number } {
  const units = weight.paddedCols / STAGED_UNIT.cols;
  const round = lanes * depth;
  const rounds = Math.max(1, Math.min(Math.floor(chunkUnits / round), Math.ceil(units / round)));
  const chunk = round * rounds;
  const vectors = (numRows * chunk * STAGED_UNIT.bytes) / 16;
  return {
    ROWS: numRows,
    R: rowsPerThread,
    OUTPUTS: gate ? rowsPerThread / 2 : rowsPerThread,
    LANES: lanes,
    WG_SIZE: threads,
    WIDTH: Math.max(1, Math.min(lanes, subgroupSize)),
    DEPTH: depth,
    CHUNK: chunk,
    ITEMS: Math.ceil(vectors / threads),
    UNITS: units,
    STRIDE: units,
  };
}

/** One tile whatever the shape, for a processor; sums of all threads must fit beside a chunk where there are no subgroups. */
const SMALL_TILE: GemvRowsTile = {
  rowsAtOnce: 4,
  lanes: 4,
  rowsPerThread: 2,
  threads: 32,
  chunkUnits: 8,
  depth: 1,
};

/** What was fastest for 8 rows on an H100 (test/bench/NOTES.md, 22): W with few rows is cut along K by more threads. */
export function gemvRowsTile(
  gpu: Pick<Gpu, 'isSoftware' | 'subgroupSize' | 'device'>,
  call: LinearCall,
): GemvRowsTile {
  if (gpu.isSoftware) return SMALL_TILE;
  const { weight, numRows } = call;
  const units = Math.ceil(weight.cols / STAGED_UNIT.cols);
  const isWide = weight.rows >= WIDE_ROWS;
  const rowsAtOnce = Math.ceil(numRows / Math.ceil(numRows / (weight.rows >= LEAST_ROWS ? 8 : 4)));
  const memory = gpu.device.limits.maxComputeWorkgroupStorageSize - SUMS_BYTES;
  const unitBytes = rowsAtOnce * STAGED_UNIT.bytes;
  return {
    rowsAtOnce,
    lanes: isWide || units < 16 ? 8 : 16,
    rowsPerThread: 2,
    threads: gpu.subgroupSize === 0 ? 64 : isWide ? 256 : 128,
    chunkUnits: Math.floor(Math.min(memory, MAX_CHUNK_BYTES) / unitBytes),
    depth: 1,
  };
}
