import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import type { ModelConfig } from './config';
import { type JsonObject, readCount } from './config-fields';
import { decoder } from './decoder';
import { decoderWeights } from './decoder-weights';
import { gemma, readGemma } from './gemma';
import { GEMMA2_NAMES, readSoftcaps } from './gemma2';
import { everyOther, readLayerWindows, readWindow } from './layer-windows';
import { parseRope } from './rope-config';

const DEFAULTS = { ...gemma.defaults, maxPositions: 131072, ropeTheta: 1e6 };
const LOCAL_THETA = 10000;

/**
 * Gemma 3, text only (Gemma team 2025): Gemma 2 with norms of q and k in place of the soft-caps, and a rope of its own
 * for the layers with windows.
 */
export const gemma3: Architecture = {
  modelType: 'gemma3_text',
  className: 'Gemma3ForCausalLM',
  defaults: DEFAULTS,
  readRopes: (raw, headDim, defaults) => [
    parseRope(raw, headDim, defaults, 'full_attention'),
    parseRope(localRope(raw), headDim, { ropeTheta: LOCAL_THETA }, 'sliding_attention'),
  ],
  readConfig: (raw, shared) => {
    const layerWindows = readWindows(raw, shared);
    return {
      ...readGemma(raw, shared),
      ...readSoftcaps(raw, { attention: 0, logits: 0 }),
      layerWindows,
      layerRopes: layerWindows.map((window) => (window > 0 ? 1 : 0)),
      // the stretched length, which other families have to work out
      maxPositions: readCount(raw, 'max_position_embeddings', 2 ** 31, DEFAULTS.maxPositions),
    };
  },
  weights: (config) =>
    decoderWeights(config, {
      ...GEMMA2_NAMES,
      qkNorm: { q: 'self_attn.q_norm', k: 'self_attn.k_norm', over: 'head' },
    }),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, {
      norm: 'input_norm',
      postNorm: 'attention_post_norm',
      qkNorm: 'before rope',
    });
    mlp(step, layer, { norm: 'mlp_norm', postNorm: 'mlp_post_norm' });
  }),
};

function readWindows(raw: JsonObject, { numLayers }: ModelConfig): readonly number[] {
  const key = raw.sliding_window_pattern === undefined ? '_sliding_window_pattern' : 'sliding_window_pattern';
  const pattern = readCount(raw, key, 2 ** 16, 6);
  return readLayerWindows(raw, numLayers, readWindow(raw, 4096), everyOther(pattern));
}

/** The rope of the windows as transformers 4 spells it: never stretched, with a base of its own. */
function localRope(raw: JsonObject): JsonObject {
  if (raw.rope_parameters !== undefined && raw.rope_parameters !== null) return raw;
  return { rope_theta: raw.rope_local_base_freq };
}
