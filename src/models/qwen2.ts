import type { Architecture } from './architecture';
import type { ModelConfig } from './config';
import { configError, type JsonObject, readFlag } from './config-fields';
import { readLayerWindows, readWindow } from './layer-windows';
import { llama } from './llama';

/** Qwen 2 and 2.5 (Yang et al. 2024): Llama with biases on q, k, v and optional windows in the upper layers. */
export const qwen2: Architecture = {
  ...llama,
  modelType: 'qwen2',
  className: 'Qwen2ForCausalLM',
  defaults: { maxPositions: 32768 },
  readConfig: (raw, shared) => ({ qkvBias: true, layerWindows: readUpperWindows(raw, shared) }),
};

/** Windows from layer `max_window_layers` on, if `use_sliding_window`. */
export function readUpperWindows(raw: JsonObject, { numLayers }: ModelConfig): readonly number[] {
  const window = readFlag(raw, 'use_sliding_window', false) ? readWindow(raw, 4096) : 0;
  const first = raw.max_window_layers ?? 28;
  if (typeof first !== 'number' || !Number.isInteger(first) || first < 0)
    throw configError('max_window_layers', `is ${JSON.stringify(first)}, not a whole number`);
  return readLayerWindows(raw, numLayers, window, (layer) => layer >= first);
}
