import type { PackedTensor } from '../../src/weights/packed-tensor';
import { packedElement } from './packed';

/** out[r, k] = scale · W[ids[r], k] */
export function embeddingTwin(
  table: PackedTensor,
  words: Uint32Array,
  ids: readonly number[],
  scale: number,
): Float32Array {
  const out = new Float32Array(ids.length * table.cols);
  for (const [row, id] of ids.entries())
    for (let k = 0; k < table.cols; k++)
      out[row * table.cols + k] = scale * packedElement(table, words, id, k);
  return out;
}
