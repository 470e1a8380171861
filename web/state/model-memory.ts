import type { Fit, GpuRoom, WeightBits } from '../../src/index';

/** The numbers of a dense decoder that decide its size. */
export interface ModelShape {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly innerSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** One matrix for embedding and output. */
  readonly isTied: boolean;
  readonly hasQkvBias: boolean;
  /** Bits of a projection weight in the repository: 16, or 4 in groups of 128. */
  readonly storedBits: 4 | 16;
}

export interface ModelMemory {
  readonly parameters: number;
  /** What is downloaded, headers and tokenizer left out. */
  readonly downloadBytes: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly scratchBytes: number;
  readonly totalBytes: number;
  /** The largest thing that must be one buffer. */
  readonly largestBytes: number;
}

const MIB = 2 ** 20;
const GROUP = 128;
const BLOCK_TOKENS = 32;
const CHUNK_ROWS = 256;
/** As the engine chooses the pool: four contexts, at most a gibibyte, at least one context. */
const NUM_CONTEXTS = 4;
const MAX_POOL_BYTES = 1024 * MIB;
const MAX_LOGIT_BYTES = 64 * MIB;
const ATTENTION_PARTS = 32_768;
/** Of 4 bits: a half for the scale and 4 bits for the zero point of every group. */
const STORED_GROUP_BITS = 20;

/** What `inspect` would find, within a few percent, from the shape alone. */
export function modelMemory(shape: ModelShape, weightBits: WeightBits, contextLength: number): ModelMemory {
  const { numLayers, hiddenSize, innerSize, numHeads, numKvHeads, headDim, vocabSize } = shape;
  const [qRows, kvRows] = [numHeads * headDim, numKvHeads * headDim];
  // [rows, cols] of qkv, output, gate and up, down
  const matrices = [
    [qRows + 2 * kvRows, hiddenSize],
    [hiddenSize, qRows],
    [2 * innerSize, hiddenSize],
    [hiddenSize, innerSize],
  ] as const;
  const projections = numLayers * sum(matrices.map(([rows, cols]) => rows * cols));
  const vectors = numLayers * (2 * hiddenSize + (shape.hasQkvBias ? qRows + 2 * kvRows : 0)) + hiddenSize;
  const numHeadMatrices = shape.isTied ? 1 : 2;
  const heads = numHeadMatrices * vocabSize * hiddenSize;
  const packedBits = shape.storedBits === 4 ? 4 : weightBits;
  const headBytes = packedBytes(vocabSize, hiddenSize, weightBits === 16 ? 16 : 8);
  const layerBytes = sum(matrices.map(([rows, cols]) => packedBytes(rows, cols, packedBits)));
  const weightBytes = numLayers * layerBytes + numHeadMatrices * headBytes + 4 * vectors;
  const kvBytes = poolBytes(shape, contextLength);
  const scratchBytes = workBytes(shape, qRows + 2 * kvRows, qRows, contextLength);
  const storedBytes = shape.storedBits === 4 ? (4 + STORED_GROUP_BITS / GROUP) / 8 : 2;
  return {
    parameters: projections + heads + vectors,
    downloadBytes: projections * storedBytes + 2 * (heads + vectors),
    weightBytes,
    kvBytes,
    scratchBytes,
    totalBytes: weightBytes + kvBytes + scratchBytes,
    largestBytes: Math.max(headBytes, layerBytes, kvBytes / numLayers),
  };
}

/** Rows of whole 16-byte loads, and a word of scale and zero point for every group. */
function packedBytes(rows: number, cols: number, bits: WeightBits): number {
  const codes = (rows * Math.ceil(cols / 32) * 32 * bits) / 8;
  return codes + (bits === 16 ? 0 : rows * Math.ceil(cols / GROUP) * 4);
}

/** Keys and values in 8 bits with a word for each row. */
function poolBytes({ numLayers, numKvHeads, headDim }: ModelShape, contextLength: number): number {
  const blockBytes = BLOCK_TOKENS * numLayers * numKvHeads * 2 * (headDim + 4);
  const perContext = Math.ceil(contextLength / BLOCK_TOKENS);
  const affordable = Math.floor(MAX_POOL_BYTES / blockBytes);
  return blockBytes * Math.max(perContext, Math.min(NUM_CONTEXTS * perContext, affordable));
}

/** A chunk of a prompt on its way through the layers, its logits, parts of its attention, and the table of the rope. */
function workBytes(shape: ModelShape, qkvRows: number, qRows: number, contextLength: number): number {
  const { hiddenSize, innerSize, vocabSize, headDim } = shape;
  const terms = shape.hasQkvBias ? shape.numHeads * headDim : 0;
  const halves = Math.max(hiddenSize, innerSize, qRows) / 2;
  const row = 2 * hiddenSize + qkvRows + qRows + innerSize + halves + terms;
  const logitRows = Math.min(CHUNK_ROWS, Math.floor(MAX_LOGIT_BYTES / (4 * vocabSize)));
  return (
    4 * (CHUNK_ROWS * row + logitRows * vocabSize + ATTENTION_PARTS * (headDim + 4) + contextLength * headDim)
  );
}

/** Of the room, what is left to the browser and other programs before a model counts as tight. */
const COMFORTABLE = 0.85;

/** null while the room is not known. */
export function fitIn({ totalBytes, largestBytes }: ModelMemory, room: GpuRoom | null): Fit | null {
  if (room === null) return null;
  const bindableBytes = Math.min(room.maxBufferSize, room.maxStorageBufferBindingSize);
  if (totalBytes > room.freeBytes || largestBytes > bindableBytes) return 'too-big';
  return totalBytes > COMFORTABLE * room.freeBytes ? 'tight' : 'fits';
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
