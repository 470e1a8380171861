import source from '../../shaders/attention_merge.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { integerDefines, type PreparedOutput } from './integer-rows';
import { PARTS_TOGETHER } from './part-sums';
import { rowDefines } from './prepared-rows';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = { partials_at: 'u32', out_at: 'u32', num_splits: 'u32', plane_rows: 'u32' } as const;

const PROGRAM: ShaderProgram = { name: 'attention_merge', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Threads of a workgroup. */
const WG_SIZE = 128;

/** Splits of one row that the merge can weigh: one a thread. */
export const MAX_SPLITS = WG_SIZE;

/** Dims of a head that it can add up: four a thread. */
const MAX_HEAD_DIM = 4 * WG_SIZE;

export interface AttentionMergeCall {
  readonly numRows: number;
  readonly numHeads: number;
  readonly headDim: number;
  readonly numSplits: number;
  /** Float offset in scratch of f32 [numRows][numHeads][numSplits][4 + headDim]: (max, sum, -, -, weighted values); a multiple of 4. */
  readonly partialsAt: number;
  /** Float offset in scratch of f32 [numRows][numHeads][headDim]; a multiple of 4. */
  readonly outAt: number;
  /** Leaves what integerRows makes of the results instead; heads must be whole groups of its columns. */
  readonly prepares?: PreparedOutput | null;
}

/** An attention dispatch, and behind it the merge of its splits where there are several. */
export function withMerge(gpu: Gpu, attention: Dispatch, call: AttentionMergeCall): Dispatch[] {
  return call.numSplits === 1 ? [attention] : [attention, attentionMerge(gpu, call)];
}

/** Joins what attention has left for each split. Throws `internal` above MAX_SPLITS, or for heads of more than 512 dims. */
export function attentionMerge(gpu: Gpu, call: AttentionMergeCall): Dispatch {
  const { numRows, numHeads, headDim, numSplits, partialsAt, prepares = null } = call;
  const outAt = prepares?.rowsAt ?? call.outAt;
  if (numSplits < 1 || numSplits > MAX_SPLITS || headDim % 4 !== 0 || headDim > MAX_HEAD_DIM)
    throw new TabmindError(
      'internal',
      `attention in ${numSplits} splits of heads of ${headDim} dims; at most ${MAX_SPLITS} and ${MAX_HEAD_DIM}`,
    );
  if (partialsAt % 4 !== 0 || outAt % 4 !== 0)
    throw new TabmindError('internal', `attention_merge: partials at ${partialsAt}, results at ${outAt}`);
  const { format, groupSize } = prepares?.weight ?? {};
  const pipeline = gpu.pipelines.requestOnce(
    PROGRAM,
    `${numHeads} ${headDim} ${format} ${groupSize}`,
    () => ({
      ...gpu.defines,
      WG_SIZE,
      LANES: WG_SIZE,
      HEADS: numHeads,
      HEAD_DIM: headDim,
      TOGETHER: PARTS_TOGETHER,
      PREPARES: prepares !== null,
      ...(prepares ? { ...rowDefines(prepares.weight), ...integerDefines(prepares.weight) } : {}),
    }),
  );
  const params = packParams(PARAMS, {
    partials_at: partialsAt,
    out_at: outAt,
    num_splits: numSplits,
    plane_rows: prepares?.planeRows ?? 0,
  });
  return { pipeline, params, workgroups: [numHeads, numRows, 1] };
}
