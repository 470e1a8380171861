import type { Architecture } from './architecture';
import { readFlag } from './config-fields';
import { llama } from './llama';

/** InternLM 3 (2025): Llama, with flags of its own for the biases of q, k, v and of the rest. */
export const internlm3: Architecture = {
  ...llama,
  modelType: 'internlm3',
  className: 'InternLM3ForCausalLM',
  defaults: { maxPositions: 32768 },
  readConfig: (raw) => {
    const bias = readFlag(raw, 'bias', false);
    return { qkvBias: readFlag(raw, 'qkv_bias', false), outputBias: bias, mlpBias: bias };
  },
};
