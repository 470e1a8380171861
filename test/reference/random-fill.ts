import { randomBaseHalf } from '../../src/kernels/random-fill';
import { FORMAT_BITS, type PackedTensor } from '../../src/weights/packed-tensor';
import { floatToHalf } from './half';

/** The words of a random packed linear whose first word is number `imageWord` of the image. */
export function randomFillTwin(tensor: PackedTensor, imageWord: number, seed: number): Uint32Array {
  const words = new Uint32Array(tensor.totalBytes / 4);
  const bits = FORMAT_BITS[tensor.format];
  const base = randomBaseHalf(tensor);
  const numCodeWords = tensor.codesBytes / 4;
  for (let row = 0; row < tensor.rows; row++)
    for (let k = 0; k < tensor.cols; k++) {
      const bit = (row * tensor.paddedCols + k) * bits;
      const at = Math.floor(bit / 32);
      const drawn = (draw(imageWord + at, seed) >>> (bit % 32)) & (2 ** bits - 1);
      const code = bits === 16 ? (drawn & 0x83ff) | base : drawn;
      words[at] = (words[at] ?? 0) | (code << (bit % 32));
    }
  for (let i = 0; i < tensor.scalesBytes / 4; i++) {
    const drawn = draw(imageWord + numCodeWords + i, seed);
    const zero = 2 ** (bits - 1) - (drawn & 64 ? 0 : 1);
    words[numCodeWords + i] = (base + (drawn & 63)) | (floatToHalf(zero) << 16);
  }
  return words;
}

function draw(word: number, seed: number): number {
  return scramble((scramble(word >>> 0) ^ seed) >>> 0);
}

function scramble(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}
