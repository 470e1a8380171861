import type { PackedTensor } from '../../src/weights/packed-tensor';
import { FORMAT_BITS } from '../../src/weights/packed-tensor';
import { floatToHalf, halfToFloat } from './half';
import type { Random } from './random';

/** Words of a random packed linear: random codes; scales around 1/(2^bits) and zeros inside the code range. */
export function randomPacked(tensor: PackedTensor, random: Random): Uint32Array {
  const words = new Uint32Array(tensor.totalBytes / 4);
  const { rows, cols, paddedCols, numGroups, format } = tensor;
  const bits = FORMAT_BITS[format];
  const codes = words.subarray(0, tensor.codesBytes / 4);
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < cols; k++) {
      const code = format === 'w16' ? floatToHalf(random.normal() * 0.1) : random.below(2 ** bits);
      setCode(codes, r * paddedCols + k, bits, code);
    }
  for (let i = 0; i < rows * numGroups; i++) {
    const scale = floatToHalf((0.5 + random.uniform()) / 2 ** bits);
    words[tensor.codesBytes / 4 + i] = scale | (floatToHalf(random.below(2 ** bits)) << 16);
  }
  return words;
}

export function setCode(codes: Uint32Array, index: number, bits: number, code: number): void {
  const bit = index * bits;
  const word = Math.floor(bit / 32);
  codes[word] = (codes[word] ?? 0) | (code << (bit % 32));
}

/** CPU twin of every packed load: element [row, col] of the tensor. */
export function packedElement(tensor: PackedTensor, words: Uint32Array, row: number, col: number): number {
  const bits = FORMAT_BITS[tensor.format];
  const bit = (row * tensor.paddedCols + col) * bits;
  const word = words[Math.floor(bit / 32)] ?? 0;
  const code = bits === 32 ? word : (word >>> (bit % 32)) & (2 ** bits - 1);
  if (tensor.format === 'w16') return halfToFloat(code);
  const pair =
    words[tensor.codesBytes / 4 + row * tensor.numGroups + Math.floor(col / tensor.groupSize)] ?? 0;
  return halfToFloat(pair & 0xffff) * (code - halfToFloat(pair >>> 16));
}
