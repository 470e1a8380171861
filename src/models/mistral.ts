import type { Architecture } from './architecture';
import { readWindow } from './layer-windows';
import { llama } from './llama';

/** Mistral (Jiang et al. 2023): Llama whose queries see a window of the last tokens. */
export const mistral: Architecture = {
  ...llama,
  modelType: 'mistral',
  className: 'MistralForCausalLM',
  defaults: { maxPositions: 131072 },
  readConfig: (raw, { numLayers }) => ({
    layerWindows: new Array<number>(numLayers).fill(readWindow(raw, 4096)),
  }),
};
