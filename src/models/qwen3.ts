import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readBiases } from './config';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { readUpperWindows } from './qwen2';

/** Qwen 3 dense (Qwen team 2025): RMS norms of every query and key head instead of biases. */
export const qwen3: Architecture = {
  modelType: 'qwen3',
  className: 'Qwen3ForCausalLM',
  defaults: { maxPositions: 32768, headDim: 128 },
  readConfig: (raw, shared) => {
    const { qkvBias, outputBias } = readBiases(raw);
    return { qkvBias, outputBias, layerWindows: readUpperWindows(raw, shared) };
  },
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      qkNorm: { q: 'self_attn.q_norm', k: 'self_attn.k_norm', over: 'head' },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm', qkNorm: 'before rope' });
    mlp(step, layer, { norm: 'mlp_norm' });
  }),
};
