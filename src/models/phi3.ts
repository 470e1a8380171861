import type { Architecture } from './architecture';
import { decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { readWindow } from './layer-windows';
import { llama } from './llama';

/** Phi 3, 3.5 and 4 (mini): Llama with fused matrices, a rope on a part of each head, LongRoPE and windows. */
export const phi3: Architecture = {
  ...llama,
  modelType: 'phi3',
  className: 'Phi3ForCausalLM',
  defaults: { maxPositions: 4096, rmsNormEps: 1e-5 },
  readConfig: (raw, { numLayers }) => ({
    layerWindows: new Array<number>(numLayers).fill(readWindow(raw, 0)),
  }),
  weights: (config) =>
    decoderWeights(config, {
      ...LLAMA_NAMES,
      qkv: () => [{ module: 'self_attn.qkv_proj' }],
      gateUp: ['mlp.gate_up_proj'],
    }),
};
