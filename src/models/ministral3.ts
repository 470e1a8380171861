import type { Architecture } from './architecture';
import type { ConfigDefaults, ModelConfig } from './config';
import { configError, type JsonObject, readNumber } from './config-fields';
import { readWindow } from './layer-windows';
import { llama } from './llama';
import { ropeFields } from './rope-config';

const DEFAULTS: ConfigDefaults = {
  maxPositions: 262144,
  headDim: 128,
  rmsNormEps: 1e-5,
  ropeParameters: {
    rope_type: 'yarn',
    rope_theta: 1e6,
    factor: 16,
    original_max_position_embeddings: 16384,
    beta_fast: 32,
    beta_slow: 1,
    mscale: 1,
    mscale_all_dim: 1,
    llama_4_scaling_beta: 0.1,
  },
};

/** Ministral 3 (Mistral 2025): Llama with YaRN, whose queries grow with their position as those of Llama 4. */
export const ministral3: Architecture = {
  ...llama,
  modelType: 'ministral3',
  className: 'Ministral3ForCausalLM',
  defaults: DEFAULTS,
  readConfig: (raw, { numLayers, ropes }) => ({
    layerWindows: new Array<number>(numLayers).fill(readWindow(raw, 0)),
    queryGrowth: readQueryGrowth(raw, ropes),
  }),
};

function readQueryGrowth(raw: JsonObject, ropes: ModelConfig['ropes']): ModelConfig['queryGrowth'] {
  const beta = readNumber(ropeFields(raw, DEFAULTS), 'llama_4_scaling_beta', 0);
  if (beta === 0) return null;
  const scaling = ropes[0]?.scaling;
  if (scaling?.type !== 'yarn') throw configError('llama_4_scaling_beta', 'is set, but the rope is not yarn');
  return { beta, span: scaling.trainedLength };
}
