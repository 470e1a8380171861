import { TabmindError } from '../errors';
import type { Piece } from '../gpu/buffer';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { SelfTestPlaces } from './self-test-memory';
import { unpackRow } from './self-test-twin';

/** Rows of a weight that are compared. */
const CHECKED_OUTPUTS = 8;

/** From the first row to the last. */
export function checkedOutputs({ rows }: PlacedTensor): readonly number[] {
  return Array.from({ length: CHECKED_OUTPUTS }, (_, i) =>
    Math.floor((i * (rows - 1)) / (CHECKED_OUTPUTS - 1)),
  );
}

export function requireTensor({ tensors }: SelfTestPlaces, name: string): PlacedTensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw new TabmindError('internal', `the self-test finds no weight ${name}`);
}

/** Codes and scales of some rows, two pieces each. */
export function rowPieces(
  slabs: readonly GPUBuffer[],
  tensor: PlacedTensor,
  rows: readonly number[],
): readonly Piece[] {
  const buffer = bufferOf(slabs, tensor);
  const rowBytes = tensor.codesBytes / tensor.rows;
  const scaleBytes = tensor.numGroups * 4;
  return rows.flatMap((row) => [
    { buffer, offset: tensor.byteOffset + row * rowBytes, sizeBytes: rowBytes },
    { buffer, offset: tensor.byteOffset + tensor.codesBytes + row * scaleBytes, sizeBytes: scaleBytes },
  ]);
}

/** Row number `index` of those whose pieces stand first in `words`. */
export function unpackPieces(
  tensor: PlacedTensor,
  words: readonly Uint32Array[],
  index: number,
): Float64Array {
  return unpackRow(tensor, { codes: wordsAt(words, 2 * index), scales: wordsAt(words, 2 * index + 1) });
}

/** A vector beside `weight`; an empty piece where the model has none. */
export function vectorPiece(
  slabs: readonly GPUBuffer[],
  vector: PlacedTensor | undefined,
  weight: PlacedTensor,
): Piece {
  if (!vector) return { buffer: bufferOf(slabs, weight), offset: 0, sizeBytes: 0 };
  return { buffer: bufferOf(slabs, vector), offset: vector.byteOffset, sizeBytes: vector.cols * 4 };
}

/** The vector that stands there from the end of `words`, −1 being the last. */
export function vectorAt(words: readonly Uint32Array[], fromEnd: number): Float32Array {
  const found = wordsAt(words, words.length + fromEnd);
  return new Float32Array(found.buffer, found.byteOffset, found.length);
}

function bufferOf(slabs: readonly GPUBuffer[], { name, slab }: PlacedTensor): GPUBuffer {
  const buffer = slabs[slab];
  if (buffer) return buffer;
  throw new TabmindError('internal', `${name} lies in slab ${slab}, which is not there`);
}

function wordsAt(words: readonly Uint32Array[], index: number): Uint32Array {
  return words[index] ?? new Uint32Array(0);
}
