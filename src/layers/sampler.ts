import { sampler } from '../kernels/sampler';
import type { ForwardContext } from './forward-context';

/** Picks the next id of every logits row and moves its slot on. In prefill the one row is the chunk's last. */
export function sample(step: ForwardContext): void {
  const { gpu, state, config, scratch, numRows, prefill } = step;
  const call = {
    numRows: prefill ? 1 : numRows,
    vocabSize: config.vocabSize,
    logitsAt: scratch.logits.at,
    logitsStride: scratch.logits.stride,
    prefill: prefill ? { ...prefill, row: numRows - 1 } : null,
  };
  step.push(sampler(gpu, state, call), 0);
}
