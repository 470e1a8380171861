import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { readBiases } from './config';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { everyOther, readLayerWindows, readWindow } from './layer-windows';
import { parseRope } from './rope-config';

/** OLMo 2 (OLMo team 2024): norms only behind each block, and one norm over all heads of q and of k. */
export const olmo2: Architecture = {
  modelType: 'olmo2',
  className: 'Olmo2ForCausalLM',
  defaults: { maxPositions: 2048, rmsNormEps: 1e-5 },
  readConfig: (raw) => {
    const { qkvBias, outputBias } = readBiases(raw);
    return { qkvBias, outputBias };
  },
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      norms: {
        attention_post_norm: 'post_attention_layernorm',
        mlp_post_norm: 'post_feedforward_layernorm',
      },
      qkNorm: { q: 'self_attn.q_norm', k: 'self_attn.k_norm', over: 'all heads' },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { postNorm: 'attention_post_norm', qkNorm: 'all heads' });
    mlp(step, layer, { postNorm: 'mlp_post_norm' });
  }),
};

/** OLMo 3 (2025): OLMo 2 with windows in three of four layers; only the fourth has a stretched rope. */
export const olmo3: Architecture = {
  ...olmo2,
  modelType: 'olmo3',
  className: 'Olmo3ForCausalLM',
  defaults: { ...olmo2.defaults, ropeTheta: 500000 },
  readRopes: (raw, headDim, defaults) => [
    parseRope(raw, headDim, defaults, 'full_attention'),
    parseRope({ ...raw, rope_scaling: null }, headDim, defaults, 'sliding_attention'),
  ],
  readConfig: (raw, { numLayers }) => {
    const { qkvBias, outputBias } = readBiases(raw);
    const layerWindows = readLayerWindows(raw, numLayers, readWindow(raw, 4096), everyOther(4));
    const layerRopes = layerWindows.map((window) => (window > 0 ? 1 : 0));
    return { qkvBias, outputBias, layerWindows, layerRopes };
  },
};
