import type { Piece } from '../gpu/buffer';
import { integerCut } from '../kernels/gemm-integer';
import type { LinearCall } from '../kernels/linear-call';
import { productKernel } from '../layers/linear';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { Comparison, Results, SelfTestMemory, SelfTestPlaces, SlabDispatches } from './self-test-memory';
import { CHUNK_ROWS, compareProduct, productAs } from './self-test-products';
import { dot, fixedNoise } from './self-test-twin';
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
}

/**
 * Made-up rows through the down projection of layer 0, whose K is cut into parts sooner than that of any other linear: W has
 * many columns and few rows. Null: no step cuts it.
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
  const outAt = memory.region(CHUNK_ROWS * rows, residual ?? undefined);
  const call: LinearCall = {
    weight,
    numRows: CHUNK_ROWS,
    inAt: memory.region(input.length, input),
    outAt,
    ...(bias ? { bias } : {}),
    ...(residual ? { residualAt: outAt, residualScale: config.residualScale } : {}),
  };
  const dispatches = productAs(gpu, memory, call, 'gemm_integer', stepRows);
  const pieces = (slabs: readonly GPUBuffer[]) => [
    ...rowPieces(slabs, weight, checkedOutputs(weight)),
    vectorPiece(slabs, bias, weight),
  ];
  return { runs: [{ slab: weight.slab, dispatches }], pieces, call, input, residual };
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
  { gpu }: SelfTestPlaces,
  { call, input, residual }: PartsRun,
  words: readonly Uint32Array[],
  { scratch }: Results,
): Generator<readonly [string, readonly Comparison[]]> {
  const { weight, outAt, bias, residualScale = 1 } = call;
  const outputs = checkedOutputs(weight);
  const weights = outputs.map((_, i) => unpackPieces(weight, words, i));
  const biases = vectorAt(words, -1);
  for (let row = 0; row < CHUNK_ROWS; row++) {
    const x = Float64Array.from(input.subarray(row * weight.cols, (row + 1) * weight.cols));
    const compare = (output: number, w: Float64Array): Comparison => {
      const at = row * weight.rows + output;
      return compareProduct(gpu, scratch[outAt + at] ?? Number.NaN, dot(w, x), {
        bias: bias ? (biases[output] ?? Number.NaN) : 0,
        before: residual?.[at] ?? 0,
        scale: residualScale,
      });
    };
    yield ['a matrix product in parts', weights.map((w, i) => compare(outputs[i] ?? 0, w))];
  }
}
