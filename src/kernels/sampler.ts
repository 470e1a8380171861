import source from '../../shaders/sampler.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

/** Scalars of the kernels that read logits as they are. */
export const LOGITS_PARAMS = {
  logits_at: 'u32',
  logits_stride: 'u32',
  vocab_size: 'u32',
  first_row: 'u32',
  sampled_row: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'sampler', source, params: LOGITS_PARAMS, bindings: STEP_BINDINGS };

/** 256 histogram bins × 1024 ids; also what keeps the integer sums below 2^32. */
export const MAX_SAMPLER_VOCAB = 262144;

/** Quads of scores that a thread asks for at a time (test/bench/NOTES.md, 39). In software nothing is waited for. */
const QUADS_TOGETHER = 8;

export interface SamplerCall {
  /** Rows to sample: the step's decode rows, those of a chunk that end a prompt, or all rows of a draft. */
  readonly numRows: number;
  readonly vocabSize: number;
  /** Float offset in scratch of f32 [numRows][logitsStride]; both multiples of 4. The logits are only read. */
  readonly logitsAt: number;
  readonly logitsStride: number;
  readonly prefill: SampledChunk | null;
  /** Where row 0 stands among all rows that the step samples; default 0. */
  readonly sampledRow?: number;
  /** Threads a row; default 1024 where the device has them. The ids do not depend on it. */
  readonly workgroupSize?: 256 | 512 | 1024;
}

/** Rows of a chunk that are sampled. */
export interface SampledChunk {
  /** The first of them in the chunk. */
  readonly row: number;
  /** False for a draft, whose rows are only reported. */
  readonly feeds: boolean;
}

/**
 * Chooses the next id of every row by its slot's sampling parameters and feeds it back: sampled[sampledRow + row], slot.token = id,
 * slot.position = row position + 1, and the id behind the ids of the sequence. The random draw depends only on the slot's seed and the
 * position of the sampled token. Throws `unsupported-model` for a vocabulary above MAX_SAMPLER_VOCAB.
 */
export function sampler(gpu: Gpu, state: StateLayout, call: SamplerCall): Dispatch[] {
  checkCall(state, call);
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    PREFILL: call.prefill !== null,
    FEEDS: call.prefill?.feeds ?? true,
    TOGETHER: gpu.isSoftware ? 2 : QUADS_TOGETHER,
    ...workgroupDefines(call.workgroupSize ?? widestWorkgroup(gpu)),
  });
  const params = logitsParams(call);
  return [{ pipeline, params, workgroups: [call.numRows, 1, 1] }];
}

export function logitsParams(call: SamplerCall): Uint32Array<ArrayBuffer> {
  return packParams(LOGITS_PARAMS, {
    logits_at: call.logitsAt,
    logits_stride: call.logitsStride,
    vocab_size: call.vocabSize,
    first_row: call.prefill?.row ?? 0,
    sampled_row: call.sampledRow ?? 0,
  });
}

export function workgroupDefines(size: number): { readonly WG_SIZE: number; readonly LANES: number } {
  return { WG_SIZE: size, LANES: size };
}

export function widestWorkgroup(gpu: Gpu): number {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = gpu.device.limits;
  return Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX) >= 1024 ? 1024 : 256;
}

function checkCall(state: StateLayout, call: SamplerCall): void {
  const { vocabSize, logitsAt, logitsStride, numRows, sampledRow = 0 } = call;
  if (vocabSize < 1 || vocabSize > MAX_SAMPLER_VOCAB)
    throw new TabmindError(
      'unsupported-model',
      `The vocabulary has ${vocabSize} entries; 1 to ${MAX_SAMPLER_VOCAB} fit.`,
      {
        meaning: 'The next token of this model cannot be chosen on the graphics card.',
        remedy: 'Choose another model.',
        details: { vocabSize },
      },
    );
  if (
    logitsAt % 4 !== 0 ||
    logitsStride % 4 !== 0 ||
    logitsStride < vocabSize ||
    sampledRow + numRows > state.maxSampledRows
  )
    throw new TabmindError(
      'internal',
      `sampler: ${numRows} rows of logits at ${logitsAt}, stride ${logitsStride}, vocabulary ${vocabSize}`,
    );
}
