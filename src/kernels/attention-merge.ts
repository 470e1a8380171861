import source from '../../shaders/attention_merge.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = { partials_at: 'u32', out_at: 'u32', num_splits: 'u32' } as const;

const PROGRAM: ShaderProgram = { name: 'attention_merge', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Splits of one row that the merge can weigh: one a thread. */
export const MAX_SPLITS = 128;

export interface AttentionMergeCall {
  readonly numRows: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly numSplits: number;
  /** Float offset in scratch of f32 [numRows][numHeads][numSplits][headDim + 4]: (max, sum, -, -, weighted values). */
  readonly partialsAt: number;
  /** Float offset in scratch of f32 [numRows][numHeads][headDim]. */
  readonly outAt: number;
}

/** An attention dispatch, and behind it the merge of its splits where there are several. */
export function withMerge(gpu: Gpu, attention: Dispatch, call: AttentionMergeCall): Dispatch[] {
  return call.numSplits === 1 ? [attention] : [attention, attentionMerge(gpu, call)];
}

/** Joins what attention has left for each split. Throws `internal` above MAX_SPLITS. */
export function attentionMerge(gpu: Gpu, call: AttentionMergeCall): Dispatch {
  const { numRows, numHeads, headDim, numSplits } = call;
  if (numSplits < 1 || numSplits > MAX_SPLITS)
    throw new TabmindError('internal', `attention in ${numSplits} splits; at most ${MAX_SPLITS}`);
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, `${numHeads} ${headDim}`, () => ({
    ...gpu.defines,
    WG_SIZE: 128,
    LANES: 128,
    HEADS: numHeads,
    HEAD_DIM: headDim,
  }));
  const params = packParams(PARAMS, {
    partials_at: call.partialsAt,
    out_at: call.outAt,
    num_splits: numSplits,
  });
  return { pipeline, params, workgroups: [numHeads, numRows, 1] };
}
