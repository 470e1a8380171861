import source from '../../shaders/logprobs.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { LOGITS_PARAMS, logitsParams, type SamplerCall, widestWorkgroup, workgroupDefines } from './sampler';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PROGRAM: ShaderProgram = { name: 'logprobs', source, params: LOGITS_PARAMS, bindings: STEP_BINDINGS };

/**
 * Reports, after the sampler, the logprob of every row's sampled id and the most probable ids, as many as its slot asks
 * for, to state at logprobsAt. The logits are the model's own, not those that penalties have changed.
 */
export function logprobs(gpu: Gpu, state: StateLayout, call: SamplerCall): Dispatch[] {
  const { logitsAt, logitsStride, vocabSize, numRows, prefill } = call;
  if (logitsAt % 4 !== 0 || logitsStride % 4 !== 0 || logitsStride < vocabSize)
    throw new TabmindError('internal', `logprobs: logits at ${logitsAt}, stride ${logitsStride}`);
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    PREFILL: prefill !== null,
    ...workgroupDefines(call.workgroupSize ?? widestWorkgroup(gpu)),
  });
  return [{ pipeline, params: logitsParams(call), workgroups: [numRows, 1, 1] }];
}
