import type { ForwardContext } from './forward-context';
import { linear } from './linear';

/** logits[i] = softcap(scale · W · norm(hidden[firstRow + i])); a tied model reads its embedding matrix. */
export function lmHead(step: ForwardContext, firstRow: number, numRows: number): void {
  const { tieEmbeddings, logitsScale, logitsSoftcap } = step.config;
  const weight = tieEmbeddings ? 'embed' : 'lm_head';
  const { hidden, logits } = step.scratch;
  linear(step, {
    weight,
    norm: 'norm',
    in: hidden,
    out: logits,
    firstRow,
    numRows,
    outScale: logitsScale,
    softcap: logitsSoftcap,
  });
}
