import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readBiases } from './config';
import { readPositive } from './config-fields';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { parseRope, ropeFields } from './rope-config';

/** Hunyuan dense (Tencent 2025): norms of every q and k head behind the rope, whose base is raised by alpha. */
export const hunyuan: Architecture = {
  modelType: 'hunyuan_v1_dense',
  className: 'HunYuanDenseV1ForCausalLM',
  defaults: { maxPositions: 2048, rmsNormEps: 1e-5 },
  readRopes: (raw, headDim, defaults) => {
    const rope = parseRope(raw, headDim, defaults);
    const fields = ropeFields(raw, defaults);
    // said to be dynamic, but with an alpha the base is the same for every length
    if (rope.scaling?.type !== 'dynamic' || !fields.alpha) return [rope];
    const alpha = readPositive(fields, 'alpha');
    return [{ ...rope, theta: rope.theta * alpha ** (headDim / (headDim - 2)), scaling: null }];
  },
  readConfig: (raw) => {
    const { qkvBias, outputBias } = readBiases(raw);
    return { qkvBias, outputBias };
  },
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      qkNorm: { q: 'self_attn.query_layernorm', k: 'self_attn.key_layernorm', over: 'head' },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm', qkNorm: 'after rope' });
    mlp(step, layer, { norm: 'mlp_norm' });
  }),
};
