import { TabmindError } from '../errors';
import type { Piece } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import { embedding } from '../kernels/embedding';
import { gemm, gemmTile } from '../kernels/gemm';
import { gemmInteger, isIntegerLinear } from '../kernels/gemm-integer';
import { gemv } from '../kernels/gemv';
import { gemvRows, usesGemvRows } from '../kernels/gemv-rows';
import { integerFloats } from '../kernels/integer-rows';
import type { LinearCall } from '../kernels/linear-call';
import { stagedFloats } from '../kernels/stage-rows';
import type { PlacedTensor } from '../weights/packed-tensor';
import type {
  Comparison,
  Results,
  SelfTestMemory,
  SelfTestRequest,
  SlabDispatches,
} from './self-test-memory';
import { PREFILL_TOKENS } from './self-test-memory';
import { dot, normalise, unpackRow } from './self-test-twin';

/** Rows of the chunk that go through the embedding and the linear. */
const CHUNK_ROWS = 8;
const CHECKED_OUTPUTS = 8;
/** Of K, in a product on matrix units. */
const MAX_PARTS = 2;
/** Part of the spread of a sum that rounding may cost: f32 sums of some thousand terms; f16 factors of 2^-11. */
const TOLERANCE = { f32: 1e-3, f16: 2e-2 } as const;

export interface LinearRun {
  readonly runs: readonly SlabDispatches[];
  /** Weights that the CPU needs, in the order in which checkLinears takes them. */
  readonly pieces: readonly Piece[];
  readonly weight: PlacedTensor;
  readonly hasNorm: boolean;
  readonly bias: PlacedTensor | undefined;
  /** Rows of the weight that are compared. */
  readonly outputs: readonly number[];
  readonly tokens: readonly number[];
  readonly hiddenAt: number;
  readonly outAt: number;
  /** What the kernel for several rows makes of the chunk; null: this adapter or weight does without. */
  readonly severalAt: number | null;
}

/** The embedding of a chunk and of a decode row, and the linear kernels behind it. The decode row is the last one. */
export function recordLinears(request: SelfTestRequest, memory: SelfTestMemory): LinearRun {
  const { gpu, config, tensors, maxChunkTokens } = request;
  const table = requireTensor(request, 'embed');
  const weight = requireTensor(request, 'layers.0.qkv');
  const norm = tensors.get('layers.0.input_norm');
  const bias = tensors.get('layers.0.qkv_bias');
  const tokens = Array.from({ length: CHUNK_ROWS + 1 }, (_, i) => (3 + i * 7919) % config.vocabSize);
  const chunk = Uint32Array.from({ length: PREFILL_TOKENS }, (_, i) => tokens[i % CHUNK_ROWS] ?? 0);
  memory.writeTokens(chunk, tokens[CHUNK_ROWS] ?? 0);
  const { cols, rows } = weight;
  const hiddenAt = memory.region((CHUNK_ROWS + 1) * cols);
  const outAt = memory.region((CHUNK_ROWS + 1) * rows);
  const lookUp = (row: number, numRows: number, prefill: { slot: number; startPosition: number } | null) =>
    embedding(gpu, memory.state, {
      table,
      numRows,
      outAt: hiddenAt + row * cols,
      scale: config.embeddingScale,
      prefill,
    });
  const call = (row: number, numRows: number): LinearCall => ({
    weight,
    numRows,
    inAt: hiddenAt + row * cols,
    outAt: outAt + row * rows,
    ...(bias ? { bias } : {}),
    ...(norm ? { norm: { weight: norm, eps: config.rmsNormEps } } : {}),
  });
  const many = call(0, CHUNK_ROWS);
  // the tile of a full chunk: that program is compiled already
  const tile = gemmTile(gpu, { ...many, numRows: maxChunkTokens });
  const several = recordSeveral(gpu, many, memory);
  const outputs = Array.from({ length: CHECKED_OUTPUTS }, (_, i) =>
    Math.floor((i * (rows - 1)) / (CHECKED_OUTPUTS - 1)),
  );
  const embed = [lookUp(0, CHUNK_ROWS, { slot: 0, startPosition: 0 }), lookUp(CHUNK_ROWS, 1, null)];
  const runs = [
    { slab: table.slab, dispatches: embed },
    {
      slab: weight.slab,
      dispatches: [...gemm(gpu, many, tile), gemv(gpu, call(CHUNK_ROWS, 1)), ...several.dispatches],
    },
  ];
  const slab = (tensor: PlacedTensor) => bufferOf(request, tensor);
  const pieces = [
    ...tokens.flatMap((token) => rowPieces(slab(table), table, token)),
    ...outputs.flatMap((row) => rowPieces(slab(weight), weight, row)),
    ...[norm, bias].map((vector) =>
      vector ? vectorPiece(slab(vector), vector) : { buffer: slab(weight), offset: 0, sizeBytes: 0 },
    ),
  ];
  return {
    runs,
    pieces,
    weight,
    hasNorm: norm !== undefined,
    bias,
    outputs,
    tokens,
    hiddenAt,
    outAt,
    severalAt: several.outAt,
  };
}

/** The same chunk through the kernel for several rows, where there is one. */
function recordSeveral(
  gpu: Gpu,
  many: LinearCall,
  memory: SelfTestMemory,
): { readonly outAt: number | null; readonly dispatches: readonly Dispatch[] } {
  const isStaged = usesGemvRows(gpu, many);
  if (!isStaged && !(gpu.byteMatrices && isIntegerLinear(many))) return { outAt: null, dispatches: [] };
  const { cols, rows } = many.weight;
  const outAt = memory.region(CHUNK_ROWS * rows);
  const call = { ...many, outAt };
  if (isStaged) {
    const stagedAt = memory.region(CHUNK_ROWS * stagedFloats(cols));
    return { outAt, dispatches: gemvRows(gpu, call, stagedAt) };
  }
  const partFloats = MAX_PARTS * CHUNK_ROWS * rows;
  const scratch = {
    rowsAt: memory.region(CHUNK_ROWS * integerFloats(cols)),
    partsAt: memory.region(partFloats),
  };
  return { outAt, dispatches: gemmInteger(gpu, call, { ...scratch, partFloats }) };
}

/** Named groups of comparisons. `words` are the pieces of the run. */
export function* checkLinears(
  request: SelfTestRequest,
  run: LinearRun,
  words: readonly Uint32Array[],
  { scratch }: Results,
): Generator<readonly [string, readonly Comparison[]]> {
  const { config, gpu } = request;
  const { tokens, outputs, weight } = run;
  const table = requireTensor(request, 'embed');
  const unpack = (tensor: PlacedTensor, index: number) =>
    unpackRow(tensor, { codes: wordsAt(words, 2 * index), scales: wordsAt(words, 2 * index + 1) });
  const hidden = tokens.map((_, i) => unpack(table, i).map((value) => value * config.embeddingScale));
  const weights = outputs.map((_, i) => unpack(weight, tokens.length + i));
  yield [
    'the embedding',
    hidden.flatMap((row, r) => {
      const limit = 1e-5 * largest(row) + 1e-12;
      const at = run.hiddenAt + r * weight.cols;
      return Array.from(row, (expected, i) => ({ actual: scratch[at + i] ?? Number.NaN, expected, limit }));
    }),
  ];
  const [gains, biases] = [-2, -1].map((i) => floatsOf(wordsAt(words, words.length + i)));
  for (const [r, row] of hidden.entries()) {
    const x = run.hasNorm && gains ? normalise(row, gains, config.rmsNormEps) : row;
    const sums = weights.map((w) => dot(w, x));
    for (const [what, outAt] of productsOf(run, r))
      yield [
        what,
        sums.map(({ value, spread }, i): Comparison => {
          const output = outputs[i] ?? 0;
          const added = run.bias ? (biases?.[output] ?? Number.NaN) : 0;
          return {
            actual: scratch[outAt + output] ?? Number.NaN,
            expected: value + added,
            limit: toleranceOf(gpu) * (spread + Math.abs(added)) + 1e-9,
          };
        }),
      ];
  }
}

/** Names of the products of a row, and where their outputs begin. */
function productsOf({ weight, outAt, severalAt }: LinearRun, row: number): [what: string, at: number][] {
  const at = outAt + row * weight.rows;
  if (row >= CHUNK_ROWS) return [['a matrix-vector product (decode)', at]];
  const prefill: [string, number] = ['a matrix product (prefill)', at];
  if (severalAt === null) return [prefill];
  return [prefill, ['a matrix product of several rows', severalAt + row * weight.rows]];
}

function toleranceOf({ math }: Gpu): number {
  return TOLERANCE[math];
}

function requireTensor({ tensors }: SelfTestRequest, name: string): PlacedTensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw new TabmindError('internal', `the self-test finds no weight ${name}`);
}

function bufferOf({ slabs }: SelfTestRequest, { name, slab }: PlacedTensor): GPUBuffer {
  const buffer = slabs[slab];
  if (buffer) return buffer;
  throw new TabmindError('internal', `${name} lies in slab ${slab}, which is not there`);
}

/** Codes and scales of one row. */
function rowPieces(buffer: GPUBuffer, tensor: PlacedTensor, row: number): readonly [Piece, Piece] {
  const rowBytes = tensor.codesBytes / tensor.rows;
  const scaleBytes = tensor.numGroups * 4;
  return [
    { buffer, offset: tensor.byteOffset + row * rowBytes, sizeBytes: rowBytes },
    { buffer, offset: tensor.byteOffset + tensor.codesBytes + row * scaleBytes, sizeBytes: scaleBytes },
  ];
}

function vectorPiece(buffer: GPUBuffer, tensor: PlacedTensor): Piece {
  return { buffer, offset: tensor.byteOffset, sizeBytes: tensor.cols * 4 };
}

function wordsAt(words: readonly Uint32Array[], index: number): Uint32Array {
  return words[index] ?? new Uint32Array(0);
}

function floatsOf(words: Uint32Array): Float32Array {
  return new Float32Array(words.buffer, words.byteOffset, words.length);
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
