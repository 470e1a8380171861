import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readFlag } from './config-fields';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';

/** GLM-4-0414 (Zhipu 2025): norms before and behind each block; a rope of neighbouring pairs on half of each head. */
export const glm4: Architecture = {
  modelType: 'glm4',
  className: 'Glm4ForCausalLM',
  defaults: { maxPositions: 131072, headDim: 128, rmsNormEps: 1.5625e-7, partialRotary: 0.5 },
  readConfig: (raw) => ({ qkvBias: readFlag(raw, 'attention_bias', true), interleavedRope: true }),
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      gateUp: ['mlp.gate_up_proj'],
      norms: {
        ...LLAMA_NAMES.norms,
        attention_post_norm: 'post_self_attn_layernorm',
        mlp_post_norm: 'post_mlp_layernorm',
      },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm', postNorm: 'attention_post_norm' });
    mlp(step, layer, { norm: 'mlp_norm', postNorm: 'mlp_post_norm' });
  }),
};
