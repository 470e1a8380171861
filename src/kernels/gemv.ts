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
/** With the cells of the reductions still within the 32 KiB that every adapter has. */
const STAGE_BYTES = 20 * 1024;
/** Threads that keep a large GPU busy. */
const FULL_THREADS = 1 << 16;

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
 * What was fastest on an H100 for the linears of models of 0.5 to 8 billion parameters (`test/tune`). A large GPU wants
 * about 2¹⁶ threads: fewer leave processors idle, and with more each has too little to do for what it stages. So the fewer
 * rows there are, the more threads cut K; rows are shared by a thread only where there are plenty.
 */
export function gemvTile(gpu: Pick<Gpu, 'isSoftware'>, call: LinearCall): GemvTile {
  if (gpu.isSoftware) return { lanes: 4, rowsPerThread: 4, threads: 32, stageBytes: STAGE_BYTES };
  const { rows, cols } = call.weight;
  const units = Math.ceil(cols / unitCols(call));
  const many = call.numRows <= 2 && rows >= 32768;
  const rowsPerThread = many ? 4 : call.gate || rows >= 4096 ? 2 : 1;
  const widest = call.numRows === 1 ? 64 : 32;
  const enough = (lanes: number) => (rows / rowsPerThread) * lanes >= FULL_THREADS;
  let lanes = units >= 96 && many ? 16 : 8;
  // the last condition: a fifth of the threads may be idle in the last round
  while (lanes < widest && !enough(lanes) && lanes * 2 * 0.8 <= units) lanes *= 2;
  return { lanes, rowsPerThread, threads: units <= 64 ? 128 : 256, stageBytes: STAGE_BYTES };
}
