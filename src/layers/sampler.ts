import { adjust } from '../kernels/adjust';
import { logprobs } from '../kernels/logprobs';
import { type SampledChunk, sampler } from '../kernels/sampler';
import type { ForwardContext } from './forward-context';

/** What is sampled, and what the slots of the step ask for; what no slot asks for costs no dispatch. */
export interface Sampling {
  /** Rows of logits, and in prefill the chunk row of the first of them. */
  readonly numRows: number;
  readonly firstRow: number;
  /** Some slot has penalties, biases or bans. */
  readonly adjusts: boolean;
  /** Some slot wants logprobs. */
  readonly reports: boolean;
  /** False: the ids are only reported, and no slot moves on. */
  readonly feeds: boolean;
}

/** Picks the next id of every logits row and moves its slot on. */
export function sample(step: ForwardContext, sampling: Sampling): void {
  const { gpu, state, config, scratch, prefill } = step;
  const { numRows, firstRow, adjusts, reports, feeds } = sampling;
  const { vocabSize } = config;
  const { logits, adjusted } = scratch;
  const chunk: SampledChunk | null = prefill && { ...prefill, row: firstRow, feeds };
  const own = {
    numRows,
    vocabSize,
    logitsAt: logits.at,
    logitsStride: logits.stride,
    prefill: chunk,
  };
  if (adjusts) {
    const { at: logitsAt, stride } = logits;
    const call = { numRows, vocabSize, logitsAt, outAt: adjusted.at, stride, prefill: chunk };
    step.push(adjust(gpu, state, call), 0);
  }
  step.push(sampler(gpu, state, adjusts ? { ...own, logitsAt: adjusted.at } : own), 0);
  if (reports) step.push(logprobs(gpu, state, own), 0);
}
