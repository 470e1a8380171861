import source from '../../shaders/gemv.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { type Dispatch, MAX_WORKGROUPS, workgroupGrid } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { FORMAT_BITS } from '../weights/packed-tensor';
import {
  LINEAR_PARAMS,
  type LinearCall,
  linearDefines,
  linearKey,
  linearParams,
  numOutputs,
} from './linear-call';
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
  /** Units that a thread has on their way: 1 or 2. */
  readonly depth: 1 | 2;
  /** W4 only: activations in 16-bit integers and the integer dot product, instead of the arithmetic of the variant. */
  readonly integer: boolean;
  /** Workgroups of a launch at most, where each can stage all activations and take several sets of rows. */
  readonly maxWorkgroups: number;
  /** Bytes of workgroup memory for activations. */
  readonly stageBytes: number;
}

/** Workgroup memory for reductions, beside the activations. */
const REDUCTION_BYTES = 5 * 1024;
/** Threads that keep a large GPU busy. */
const FULL_THREADS = 1 << 16;
/** Workgroups that do so; more would only stage the same activations once more. */
const FULL_WORKGROUPS = 1056;
/** Threads cost more than loops on a processor, and one tile whatever the shape compiles but once. */
const SOFTWARE_TILE: GemvTile = {
  lanes: 4,
  rowsPerThread: 4,
  threads: 32,
  depth: 1,
  integer: false,
  maxWorkgroups: MAX_WORKGROUPS,
  stageBytes: 20 * 1024,
};

/** out[m, n] = Σ_k W[n, k] · x[m, k] with all that LinearCall fuses, for 1 to 4 rows. */
export function gemv(gpu: Gpu, call: LinearCall, tile: GemvTile = gemvTile(gpu, call)): Dispatch {
  const { weight, numRows, gate } = call;
  if (numRows < 1 || numRows > MAX_GEMV_ROWS)
    throw new TabmindError('internal', `gemv takes 1 to ${MAX_GEMV_ROWS} rows, not ${numRows}`);
  const unit = unitCols(call);
  const outputs = gate ? tile.rowsPerThread / 2 : tile.rowsPerThread;
  const numTileUnits = tileUnits(gpu, call, tile);
  const isOneTile = numTileUnits * unit >= weight.cols;
  const { lanes, threads, rowsPerThread, depth } = tile;
  const cut = `${lanes} ${threads} ${rowsPerThread} ${depth} ${tile.integer} ${numTileUnits}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${linearKey(call)} ${numRows} ${cut}`, () => ({
    ...gpu.defines,
    ...linearDefines(call),
    ROWS: numRows,
    LANES: lanes,
    WG_SIZE: threads,
    R: rowsPerThread,
    OUTPUTS: outputs,
    DEPTH: depth,
    INTEGER: isInteger(call, tile),
    UNITS: Math.ceil(weight.cols / unit),
    TILE_UNITS: numTileUnits,
    ONE_TILE: isOneTile,
    STRIDE: weight.paddedCols / unit,
    K_TAIL: weight.cols % 8 !== 0,
  }));
  const numSets = Math.ceil(numOutputs(call) / (outputs * (tile.threads / tile.lanes)));
  const workgroups = isOneTile ? Math.min(numSets, tile.maxWorkgroups) : numSets;
  return {
    pipeline,
    params: linearParams(call),
    workgroups: workgroupGrid(workgroups),
  };
}

function isInteger({ weight }: LinearCall, tile: GemvTile): boolean {
  return tile.integer && weight.format === 'w4';
}

/** Columns in one 16-byte load. */
function unitCols(call: LinearCall): number {
  return 128 / FORMAT_BITS[call.weight.format];
}

/** Units of K staged at once: what the memory holds, but no more than there are; whole rounds. */
function tileUnits({ math }: Pick<Gpu, 'math'>, call: LinearCall, tile: GemvTile): number {
  const round = tile.lanes * tile.depth;
  const elementBytes = isInteger(call, tile) || math === 'f16' ? 2 : 4;
  // and 16 bytes of sums
  const unitBytes = (unitCols(call) * elementBytes + 16) * call.numRows;
  const fitting = Math.max(1, Math.floor(tile.stageBytes / unitBytes / round));
  const needed = Math.ceil(call.weight.cols / unitCols(call) / round);
  return round * Math.min(fitting, needed);
}

/**
 * What was fastest on an H100 for the linears of models of 0.5 to 8 billion parameters (`test/tune`). A large GPU wants
 * about 2¹⁶ threads: fewer leave processors idle, and with more each has too little to do for what it stages. So the fewer
 * rows there are, the more threads cut K; rows are shared by a thread only where there are plenty.
 */
export function gemvTile(gpu: Pick<Gpu, 'isSoftware' | 'device'>, call: LinearCall): GemvTile {
  if (gpu.isSoftware) return SOFTWARE_TILE;
  const { rows, cols } = call.weight;
  const units = Math.ceil(cols / unitCols(call));
  const cut = rows >= 9216 ? wideCut(call, units) : narrowCut(call, units);
  return {
    ...cut,
    threads: units <= 64 ? 128 : 256,
    depth: cut.lanes * 2 <= units * 1.2 ? 2 : 1,
    integer: true,
    maxWorkgroups: FULL_WORKGROUPS,
    stageBytes: gpu.device.limits.maxComputeWorkgroupStorageSize - REDUCTION_BYTES,
  };
}

type Cut = Pick<GemvTile, 'lanes' | 'rowsPerThread'>;

function wideCut({ weight: { rows }, gate, numRows }: LinearCall, units: number): Cut {
  const rowsPerThread = gate && numRows <= 2 && rows >= 24576 ? 4 : 2;
  const isEnough = rows * 8 >= FULL_THREADS * rowsPerThread * 0.75;
  return { rowsPerThread, lanes: isEnough && (gate || units < 96) ? 8 : 16 };
}

function narrowCut({ weight: { rows }, gate }: LinearCall, units: number): Cut {
  const rowsPerThread = gate || (units > 256 && rows >= 2048) ? 2 : 1;
  return { rowsPerThread, lanes: units > 128 ? 32 : units >= 12 ? 16 : 8 };
}
