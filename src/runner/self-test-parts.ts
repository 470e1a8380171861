import type { Piece } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import { gemmInteger, integerProduct, partSums } from '../kernels/gemm-integer';
import { integerCut } from '../kernels/integer-cut';
import type { LinearCall } from '../kernels/linear-call';
import { isNormedNext, type PartSums } from '../kernels/part-sums';
import { productKernel } from '../layers/linear';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { Comparison, Results, SelfTestMemory, SelfTestPlaces, SlabDispatches } from './self-test-memory';
import { CHUNK_ROWS, compareProduct, integerRoom } from './self-test-products';
import { dot, fixedNoise, normalise } from './self-test-twin';
import {
  checkedOutputs,
  requireTensor,
  rowPieces,
  unpackPieces,
  vectorAt,
  vectorPiece,
} from './self-test-weights';

export interface PartsRun {
  readonly runs: readonly SlabDispatches[];
  /** Weights that the CPU needs, in the order in which checkParts takes them. */
  readonly pieces: (slabs: readonly GPUBuffer[]) => readonly Piece[];
  readonly call: LinearCall;
  /** f32 [CHUNK_ROWS][cols] */
  readonly input: Float32Array;
  /** f32 [CHUNK_ROWS][rows]; null: the model norms the product before it adds it. */
  readonly residual: Float32Array | null;
  /** What norms the sum; null: steps finish it before. */
  readonly next: NormedNext | null;
}

/** A linear that takes the sums of another over parts of K, finished and normed. */
interface NormedNext {
  readonly call: LinearCall;
  readonly dispatches: readonly Dispatch[];
  readonly pieces: (slabs: readonly GPUBuffer[]) => readonly Piece[];
}

/**
 * Made-up rows through the down projection of layer 0, whose K is cut into parts sooner than that of any other linear: W has
 * many columns and few rows. What norms them in the next layer finishes them, where steps do so. Null: no step cuts it.
 */
export function recordParts(request: SelfTestPlaces, memory: SelfTestMemory): PartsRun | null {
  const { gpu, config, tensors } = request;
  const weight = requireTensor(request, 'layers.0.down');
  const bias = tensors.get('layers.0.down_bias');
  const stepRows = splitRows(request, memory, weight);
  if (stepRows === undefined) return null;
  const { cols, rows } = weight;
  const input = fixedNoise(CHUNK_ROWS * cols);
  const residual = tensors.has('layers.0.mlp_post_norm') ? null : fixedNoise(CHUNK_ROWS * rows);
  const inAt = memory.region(input.length, input);
  const outAt = memory.region(CHUNK_ROWS * rows, residual ?? undefined);
  const call: LinearCall = {
    weight,
    numRows: CHUNK_ROWS,
    inAt,
    outAt,
    ...(bias ? { bias } : {}),
    ...(residual ? { residualAt: outAt, residualScale: config.residualScale } : {}),
  };
  const [scratch, cut] = integerRoom(memory, call, stepRows);
  const sums = residual && partSums(call, scratch, cut);
  const next = sums && recordNext(request, memory, sums, stepRows);
  const product = (next ? integerProduct : gemmInteger)(gpu, call, scratch, cut, null);
  const pieces = (slabs: readonly GPUBuffer[]) => [
    ...rowPieces(slabs, weight, checkedOutputs(weight)),
    vectorPiece(slabs, bias, weight),
    ...(next?.pieces(slabs) ?? []),
  ];
  return {
    runs: [
      { slab: weight.slab, dispatches: product },
      ...(next ? [{ slab: next.call.weight.slab, dispatches: next.dispatches }] : []),
    ],
    pieces,
    ...{ call, input, residual, next },
  };
}

function recordNext(
  request: SelfTestPlaces,
  memory: SelfTestMemory,
  sums: PartSums,
  stepRows: number,
): NormedNext | null {
  const { gpu, config, tensors } = request;
  const weight = requireTensor(request, 'layers.0.qkv');
  const [gain, bias] = [tensors.get('layers.0.input_norm'), tensors.get('layers.0.qkv_bias')];
  if (!gain || config.numLayers === 1) return null;
  const call: LinearCall = {
    weight,
    numRows: CHUNK_ROWS,
    inAt: sums.call.outAt,
    outAt: memory.region(CHUNK_ROWS * weight.rows),
    norm: { weight: gain, eps: config.rmsNormEps },
    ...(bias ? { bias } : {}),
  };
  if (!isNormedNext(sums, call) || productKernel(gpu, { ...call, numRows: stepRows }) !== 'gemm_integer')
    return null;
  return {
    call,
    dispatches: gemmInteger(gpu, call, ...integerRoom(memory, call, stepRows), sums),
    pieces: (slabs) => [
      ...rowPieces(slabs, weight, checkedOutputs(weight)),
      ...[gain, bias].map((vector) => vectorPiece(slabs, vector, weight)),
    ],
  };
}

/** Rows of a step that cuts it. Programs of a full chunk are compiled already; with few rows there are most parts. */
function splitRows(
  { gpu, maxChunkTokens }: SelfTestPlaces,
  { partFloats }: SelfTestMemory,
  weight: PlacedTensor,
): number | undefined {
  return [maxChunkTokens, CHUNK_ROWS].find((numRows) => {
    const step = { weight, numRows, inAt: 0, outAt: 0 };
    return productKernel(gpu, step) === 'gemm_integer' && integerCut(step, partFloats).parts > 1;
  });
}

/** Named groups of comparisons. `words` are the pieces of the run. */
export function* checkParts(
  { gpu, config }: SelfTestPlaces,
  { call, input, residual, next }: PartsRun,
  words: readonly Uint32Array[],
  { scratch }: Results,
): Generator<readonly [string, readonly Comparison[]]> {
  const { weight } = call;
  // Two pieces of each row of its weight, and its bias.
  const numOwn = 2 * checkedOutputs(weight).length + 1;
  const x = rowsOf(input, 0, weight.cols);
  yield ['a matrix product in parts', compareRows(gpu, call, x, words.slice(0, numOwn), scratch, residual)];
  if (!next) return;
  const rest = words.slice(numOwn);
  const gain = vectorAt(rest, -2);
  const normed = rowsOf(scratch, next.call.inAt, weight.rows).map((row) =>
    normalise(row, gain, config.rmsNormEps),
  );
  yield ['a matrix product behind one in parts', compareRows(gpu, next.call, normed, rest, scratch, null)];
}

function rowsOf(floats: Float32Array, at: number, cols: number): readonly Float64Array[] {
  return Array.from({ length: CHUNK_ROWS }, (_, row) =>
    Float64Array.from(floats.subarray(at + row * cols, at + (row + 1) * cols)),
  );
}

/** `words`: of rows of the weight first, of its bias last. */
function compareRows(
  gpu: Gpu,
  { weight, outAt, bias, residualScale = 1 }: LinearCall,
  x: readonly Float64Array[],
  words: readonly Uint32Array[],
  scratch: Float32Array,
  residual: Float32Array | null,
): readonly Comparison[] {
  const biases = vectorAt(words, -1);
  return checkedOutputs(weight).flatMap((output, i) => {
    const w = unpackPieces(weight, words, i);
    return x.map((row, m) => {
      const at = m * weight.rows + output;
      return compareProduct(gpu, scratch[outAt + at] ?? Number.NaN, dot(w, row), {
        bias: bias ? (biases[output] ?? Number.NaN) : 0,
        before: residual?.[at] ?? 0,
        scale: residualScale,
      });
    });
  });
}
