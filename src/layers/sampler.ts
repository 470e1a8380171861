import { adjust } from '../kernels/adjust';
import { logprobs } from '../kernels/logprobs';
import { type SampledChunk, sampler } from '../kernels/sampler';
import type { ForwardContext } from './forward-context';

/** What is sampled, and what the slots of these rows ask for; what no slot asks for costs no dispatch. */
export interface Sampling {
  readonly numRows: number;
  /** The first of them among the logits. */
  readonly logitsRow: number;
  /** The first of them among all rows that the step samples. */
  readonly sampledRow: number;
  /** Where in the chunk they are; null: decode rows. */
  readonly chunk: SampledChunk | null;
  /** Some slot has penalties, biases or bans. */
  readonly adjusts: boolean;
  /** Some slot wants logprobs. */
  readonly reports: boolean;
}

/** Picks the next id of every row and, but for a draft, moves its slot on. */
export function sample(step: ForwardContext, sampling: Sampling): void {
  const { gpu, state, config, scratch } = step;
  const { numRows, logitsRow, sampledRow, chunk: prefill, adjusts, reports } = sampling;
  const { vocabSize } = config;
  const { stride } = scratch.logits;
  const logitsAt = scratch.logits.at + logitsRow * stride;
  const adjustedAt = scratch.adjusted.at + logitsRow * stride;
  const own = { numRows, vocabSize, logitsAt, logitsStride: stride, prefill, sampledRow };
  if (adjusts)
    step.push(adjust(gpu, state, { numRows, vocabSize, logitsAt, outAt: adjustedAt, stride, prefill }), 0);
  step.push(sampler(gpu, state, adjusts ? { ...own, logitsAt: adjustedAt } : own), 0);
  if (reports) step.push(logprobs(gpu, state, own), 0);
}
