import { embedding } from '../kernels/embedding';
import type { ForwardContext } from './forward-context';

/** hidden[r] = scale · table[token(r)] */
export function embed(step: ForwardContext, name: string, scale = 1): void {
  const table = step.weights.get(name);
  const { gpu, state, numRows, prefill, scratch } = step;
  step.push(
    [embedding(gpu, state, { table, numRows, outAt: scratch.hidden.at, scale, prefill })],
    table.slab,
  );
}
