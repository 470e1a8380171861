import type { ForwardContext } from './forward-context';
import { linear } from './linear';

/** logits[i] = W · norm(hidden[firstRow + i]); a tied model reads its embedding matrix. */
export function lmHead(step: ForwardContext, firstRow: number, numRows: number): void {
  const weight = step.config.tieEmbeddings ? 'embed' : 'lm_head';
  const { hidden, logits } = step.scratch;
  linear(step, { weight, norm: 'norm', in: hidden, out: logits, firstRow, numRows });
}
