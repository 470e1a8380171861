import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readBiases } from './config';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';

/** Llama 1 to 3 (Touvron et al. 2023, Llama team 2024), SmolLM 1 and 2: pre-norm, SwiGLU, grouped queries, RoPE. */
export const llama: Architecture = {
  modelType: 'llama',
  className: 'LlamaForCausalLM',
  defaults: { maxPositions: 2048 },
  readConfig: readBiases,
  weights: (config) => decoderWeights(config, LLAMA_NAMES),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm' });
    mlp(step, layer, { norm: 'mlp_norm' });
  }),
};
