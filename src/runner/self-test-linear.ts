import type { Piece } from '../gpu/buffer';
import { embedding } from '../kernels/embedding';
import { gemv } from '../kernels/gemv';
import type { LinearCall } from '../kernels/linear-call';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { Comparison, Results, SelfTestMemory, SelfTestPlaces, SlabDispatches } from './self-test-memory';
import { PREFILL_TOKENS } from './self-test-memory';
import { CHUNK_ROWS, compareProduct, type Product, recordProducts } from './self-test-products';
import { dot, normalise } from './self-test-twin';
import {
  checkedOutputs,
  requireTensor,
  rowPieces,
  unpackPieces,
  vectorAt,
  vectorPiece,
} from './self-test-weights';

export interface LinearRun {
  readonly runs: readonly SlabDispatches[];
  /** Weights that the CPU needs, in the order in which checkLinears takes them. */
  readonly pieces: (slabs: readonly GPUBuffer[]) => readonly Piece[];
  readonly weight: PlacedTensor;
  readonly hasNorm: boolean;
  readonly bias: PlacedTensor | undefined;
  readonly tokens: readonly number[];
  readonly hiddenAt: number;
  readonly products: readonly Product[];
  /** The product of the decode row. */
  readonly decodeAt: number;
}

/** The embedding of a chunk and of a decode row, and the linear kernels behind it. The decode row is the last one. */
export function recordLinears(request: SelfTestPlaces, memory: SelfTestMemory): LinearRun {
  const { gpu, config, tensors } = request;
  const table = requireTensor(request, 'embed');
  const weight = requireTensor(request, 'layers.0.qkv');
  const norm = tensors.get('layers.0.input_norm');
  const bias = tensors.get('layers.0.qkv_bias');
  const tokens = Array.from({ length: CHUNK_ROWS + 1 }, (_, i) => (3 + i * 7919) % config.vocabSize);
  const chunk = Uint32Array.from({ length: PREFILL_TOKENS }, (_, i) => tokens[i % CHUNK_ROWS] ?? 0);
  memory.writeTokens(chunk, tokens[CHUNK_ROWS] ?? 0);
  const { cols, rows } = weight;
  const hiddenAt = memory.region((CHUNK_ROWS + 1) * cols);
  const decodeAt = memory.region(rows);
  const lookUp = (row: number, numRows: number, rows: 'chunk' | 'decode') =>
    embedding(gpu, memory.state, {
      table,
      numRows,
      outAt: hiddenAt + row * cols,
      scale: config.embeddingScale,
      rows,
    });
  const call = (row: number, numRows: number): LinearCall => ({
    weight,
    numRows,
    inAt: hiddenAt + row * cols,
    outAt: decodeAt,
    ...(bias ? { bias } : {}),
    ...(norm ? { norm: { weight: norm, eps: config.rmsNormEps } } : {}),
  });
  const products = recordProducts(request, memory, call(0, CHUNK_ROWS));
  const embed = [lookUp(0, CHUNK_ROWS, 'chunk'), lookUp(CHUNK_ROWS, 1, 'decode')];
  const linears = [...products.flatMap(({ dispatches }) => dispatches), gemv(gpu, call(CHUNK_ROWS, 1))];
  const runs = [
    { slab: table.slab, dispatches: embed },
    { slab: weight.slab, dispatches: linears },
  ];
  const pieces = (slabs: readonly GPUBuffer[]) => [
    ...rowPieces(slabs, table, tokens),
    ...rowPieces(slabs, weight, checkedOutputs(weight)),
    ...[norm, bias].map((vector) => vectorPiece(slabs, vector, weight)),
  ];
  return { runs, pieces, weight, hasNorm: norm !== undefined, bias, tokens, hiddenAt, products, decodeAt };
}

/** Named groups of comparisons. `words` are the pieces of the run. */
export function* checkLinears(
  request: SelfTestPlaces,
  run: LinearRun,
  words: readonly Uint32Array[],
  { scratch }: Results,
): Generator<readonly [string, readonly Comparison[]]> {
  const { config, gpu } = request;
  const { tokens, weight } = run;
  const table = requireTensor(request, 'embed');
  const outputs = checkedOutputs(weight);
  const hidden = tokens.map((_, i) =>
    unpackPieces(table, words, i).map((value) => value * config.embeddingScale),
  );
  const weights = outputs.map((_, i) => unpackPieces(weight, words, tokens.length + i));
  yield [
    'the embedding',
    hidden.flatMap((row, r) => {
      const limit = 1e-5 * largest(row) + 1e-12;
      const at = run.hiddenAt + r * weight.cols;
      return Array.from(row, (expected, i) => ({ actual: scratch[at + i] ?? Number.NaN, expected, limit }));
    }),
  ];
  const [gains, biases] = [vectorAt(words, -2), vectorAt(words, -1)];
  for (const [r, row] of hidden.entries()) {
    const x = run.hasNorm ? normalise(row, gains, config.rmsNormEps) : row;
    const sums = weights.map((w) => dot(w, x));
    for (const [what, outAt] of productsOf(run, r))
      yield [
        what,
        sums.map((sum, i) => {
          const output = outputs[i] ?? 0;
          const bias = run.bias ? (biases[output] ?? Number.NaN) : 0;
          return compareProduct(gpu, scratch[outAt + output] ?? Number.NaN, sum, { bias });
        }),
      ];
  }
}

/** Names of the products of a row, and where their outputs begin. */
function productsOf({ weight, products, decodeAt }: LinearRun, row: number): [what: string, at: number][] {
  if (row >= CHUNK_ROWS) return [['a matrix-vector product (decode)', decodeAt]];
  return products.map(({ what, outAt }) => [what, outAt + row * weight.rows]);
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
