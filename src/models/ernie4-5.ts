import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readFlag } from './config-fields';
import { decoder } from './decoder';
import { llama } from './llama';

/** ERNIE 4.5 dense (Baidu 2025): Llama whose rotary pairs are neighbours. */
export const ernie45: Architecture = {
  ...llama,
  modelType: 'ernie4_5',
  className: 'Ernie4_5ForCausalLM',
  defaults: {
    maxPositions: 131072,
    headDim: 128,
    rmsNormEps: 1e-5,
    ropeTheta: 500000,
    tieEmbeddings: true,
  },
  readConfig: (raw) => {
    const bias = readFlag(raw, 'use_bias', false);
    return { qkvBias: bias, outputBias: bias, mlpBias: bias, interleavedRope: true };
  },
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm' });
    mlp(step, layer, { norm: 'mlp_norm' });
  }),
};
