import { embedding } from '../kernels/embedding';
import type { ForwardContext } from './forward-context';

/** hidden[r] = scale · table[token(r)] */
export function embed(step: ForwardContext, name: string, scale = 1): void {
  const table = step.weights.get(name);
  const { gpu, state, chunk, numDecodeRows, scratch } = step;
  const { at, stride } = scratch.hidden;
  const gather = (rows: 'chunk' | 'decode', numRows: number, outAt: number) =>
    step.push([embedding(gpu, state, { table, numRows, outAt, scale, rows })], table.slab);
  if (chunk) gather('chunk', chunk.numRows, at);
  if (numDecodeRows > 0) gather('decode', numDecodeRows, at + (chunk?.numRows ?? 0) * stride);
}
