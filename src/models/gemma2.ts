import { mlp } from '../layers/mlp';
import { selfAttention } from '../layers/self-attention';
import type { Architecture } from './architecture';
import type { ModelConfig } from './config';
import { type JsonObject, readPositive } from './config-fields';
import { decoder } from './decoder';
import { type CheckpointNames, decoderWeights } from './decoder-weights';
import { GEMMA_NAMES, gemma, readGemma } from './gemma';
import { everyOther, readLayerWindows, readWindow } from './layer-windows';

/** Gemma 2 (Gemma team 2024): norms before and after each block, soft-capped scores and logits, windows in turn. */
export const gemma2: Architecture = {
  modelType: 'gemma2',
  className: 'Gemma2ForCausalLM',
  defaults: gemma.defaults,
  readConfig: (raw, shared) => ({
    ...readGemma(raw, shared),
    ...readSoftcaps(raw, { attention: 50, logits: 30 }),
    layerWindows: readLayerWindows(raw, shared.numLayers, readWindow(raw, 4096), everyOther(2)),
  }),
  weights: (config) => decoderWeights(config, GEMMA2_NAMES),
  forward: decoder((step, layer) => {
    selfAttention(step, layer, { norm: 'input_norm', postNorm: 'attention_post_norm' });
    mlp(step, layer, { norm: 'mlp_norm', postNorm: 'mlp_post_norm' });
  }),
};

export const GEMMA2_NAMES: CheckpointNames = {
  ...GEMMA_NAMES,
  norms: {
    input_norm: 'input_layernorm',
    attention_post_norm: 'post_attention_layernorm',
    mlp_norm: 'pre_feedforward_layernorm',
    mlp_post_norm: 'post_feedforward_layernorm',
  },
};

/** Soft-caps (null = none; `fallback` where config.json is silent) and the scale of the scores. */
export function readSoftcaps(
  raw: JsonObject,
  fallback: { readonly attention: number; readonly logits: number },
): Pick<ModelConfig, 'attentionSoftcap' | 'logitsSoftcap' | 'attentionScale'> {
  const softcap = (key: string, otherwise: number) => {
    const silent = raw[key] === undefined;
    return raw[key] === null || (silent && otherwise === 0) ? 0 : readPositive(raw, key, otherwise);
  };
  return {
    attentionSoftcap: softcap('attn_logit_softcapping', fallback.attention),
    logitsSoftcap: softcap('final_logit_softcapping', fallback.logits),
    attentionScale: readPositive(raw, 'query_pre_attn_scalar', 256) ** -0.5,
  };
}
