import source from '../../shaders/gemv.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { LINEAR_PARAMS, type LinearCall, linearDefines, linearParams, numOutputs } from './linear-call';
import { STEP_BINDINGS } from './step-bindings';

const PROGRAM: ShaderProgram = { name: 'gemv', source, params: LINEAR_PARAMS, bindings: STEP_BINDINGS };

/** Rows of activations that one dispatch can take. */
export const MAX_GEMV_ROWS = 4;

/** How the work is cut; powers of two. */
export interface GemvTile {
  /** Threads along K for one set of weight rows; the activations of a unit for each must fit into workgroup memory. */
  readonly lanes: number;
  /** Weight rows of a thread: 1, 2 or 4; with a gate 2 or 4. */
  readonly rowsPerThread: number;
  /** Threads of a workgroup; at least `lanes`. */
  readonly threads: number;
  /** Bytes of workgroup memory for activations. */
  readonly stageBytes: number;
}

const MAX_WORKGROUPS = 65535;
const STAGE_BYTES = 12 * 1024;
/** Threads that fill a large GPU once; more of them only help by having longer loops. */
const FULL_THREADS = 1 << 17;

/** out[m, n] = Σ_k W[n, k] · x[m, k] with all that LinearCall fuses, for 1 to 4 rows. */
export function gemv(gpu: Gpu, call: LinearCall, tile: GemvTile = gemvTile(gpu, call)): Dispatch {
  const { weight, numRows, gate } = call;
  if (numRows < 1 || numRows > MAX_GEMV_ROWS)
    throw new TabmindError('internal', `gemv takes 1 to ${MAX_GEMV_ROWS} rows, not ${numRows}`);
  const unit = unitCols(call);
  const outputs = gate ? tile.rowsPerThread / 2 : tile.rowsPerThread;
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...linearDefines(call),
    ROWS: numRows,
    LANES: tile.lanes,
    WG_SIZE: tile.threads,
    R: tile.rowsPerThread,
    OUTPUTS: outputs,
    UNITS: Math.ceil(weight.cols / unit),
    TILE_UNITS: tileUnits(gpu, call, tile),
    STRIDE: weight.paddedCols / unit,
    K_TAIL: weight.cols % 8 !== 0,
    GRID_WIDTH: MAX_WORKGROUPS,
  });
  const workgroups = Math.ceil(numOutputs(call) / (outputs * (tile.threads / tile.lanes)));
  return {
    pipeline,
    params: linearParams(call),
    workgroups: [Math.min(workgroups, MAX_WORKGROUPS), Math.ceil(workgroups / MAX_WORKGROUPS), 1],
  };
}

/** Columns in one 16-byte load. */
function unitCols(call: LinearCall): number {
  return 128 / FORMAT_BITS[call.weight.format];
}

/** Units of K staged at once: what the memory holds, but no more than there are; a multiple of `lanes`. */
function tileUnits({ math }: Pick<Gpu, 'math'>, call: LinearCall, { lanes, stageBytes }: GemvTile): number {
  // and 16 bytes of sums
  const unitBytes = (unitCols(call) * (math === 'f16' ? 2 : 4) + 16) * call.numRows;
  const fitting = Math.max(1, Math.floor(stageBytes / unitBytes / lanes));
  const needed = Math.ceil(call.weight.cols / unitCols(call) / lanes);
  return lanes * Math.min(fitting, needed);
}

/**
 * Enough threads along K that every one of them has work; more where there are few rows, so that a large GPU is filled;
 * several rows a thread where there are many, so that a load of x serves them all.
 */
export function gemvTile(gpu: Pick<Gpu, 'isSoftware'>, call: LinearCall): GemvTile {
  if (gpu.isSoftware) return { lanes: 4, rowsPerThread: 4, threads: 32, stageBytes: STAGE_BYTES };
  const { rows, cols } = call.weight;
  const units = Math.ceil(cols / unitCols(call));
  const wanted = rows >= 32768 && call.numRows <= 2 ? 4 : rows >= 8192 ? 2 : 1;
  const rowsPerThread = call.gate ? Math.max(2, wanted) : wanted;
  let lanes = 4;
  while (lanes < 32 && lanes < units) lanes *= 2;
  const widest = call.numRows === 1 ? 128 : 32;
  while (lanes < widest && units >= lanes * 4 && (rows / rowsPerThread) * lanes < FULL_THREADS) lanes *= 2;
  return { lanes, rowsPerThread, threads: 128, stageBytes: STAGE_BYTES };
}
