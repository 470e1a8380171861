import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import { configError, type JsonObject, readCount } from './config-fields';
import { decoder } from './decoder';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { everyOther, readLayerWindows, readWindow } from './layer-windows';

/** EXAONE 4 (LG AI 2025): norms behind each block and of every q and k head; layers that see all have no positions. */
export const exaone4: Architecture = {
  modelType: 'exaone4',
  className: 'Exaone4ForCausalLM',
  defaults: { maxPositions: 2048, rmsNormEps: 1e-5 },
  readConfig: (raw, { numLayers }) => {
    const window = readWindow(raw, 4096);
    const layerWindows = readLayerWindows(raw, numLayers, window, slidingLayers(raw, numLayers));
    // without any windows, all layers have the rope
    const layerRopes = layerWindows.map((own) => (window === 0 || own > 0 ? 0 : null));
    return { layerWindows, layerRopes };
  },
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      norms: {
        attention_post_norm: 'post_attention_layernorm',
        mlp_post_norm: 'post_feedforward_layernorm',
      },
      qkNorm: { q: 'self_attn.q_norm', k: 'self_attn.k_norm', over: 'head' },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { postNorm: 'attention_post_norm', qkNorm: 'before rope' });
    mlp(step, layer, { postNorm: 'mlp_post_norm' });
  }),
};

/**
 * `sliding_window_pattern`: every n-th layer sees all; or letters, repeated, L for a window and G for all, and then the
 * last layer sees all too.
 */
function slidingLayers(raw: JsonObject, numLayers: number): (layer: number) => boolean {
  const pattern = raw.sliding_window_pattern;
  if (pattern === null) return () => false;
  if (typeof pattern !== 'string') return everyOther(readCount(raw, 'sliding_window_pattern', 2 ** 16, 4));
  if (!/^[LG]+$/.test(pattern))
    throw configError('sliding_window_pattern', `is "${pattern}"; it must consist of L and G`);
  return (layer) => layer !== numLayers - 1 && pattern[layer % pattern.length] === 'L';
}
