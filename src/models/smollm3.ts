import type { Architecture } from './architecture';
import { readBiases } from './config';
import { configError, type JsonObject, readCount, readFlag } from './config-fields';
import { everyOther, readLayerWindows, readWindow } from './layer-windows';
import { llama } from './llama';

/** SmolLM 3 (Hugging Face 2025): Llama in which every fourth layer has no positions (NoPE). */
export const smollm3: Architecture = {
  ...llama,
  modelType: 'smollm3',
  className: 'SmolLM3ForCausalLM',
  defaults: { maxPositions: 32768, ropeTheta: 2e6, tieEmbeddings: true },
  readConfig: (raw, { numLayers }) => {
    const hasRope = readRopeLayers(raw, numLayers);
    const window = readFlag(raw, 'use_sliding_window', false) ? readWindow(raw, 0) : 0;
    return {
      ...readBiases(raw),
      layerRopes: hasRope.map((rope) => (rope ? 0 : null)),
      layerWindows: readLayerWindows(raw, numLayers, window, (layer) => hasRope[layer] === false),
    };
  },
};

/** `no_rope_layers` lists 1 for a layer with a rope and 0 for one without. */
function readRopeLayers(raw: JsonObject, numLayers: number): readonly boolean[] {
  const flags = raw.no_rope_layers ?? null;
  if (flags === null) {
    const withRope = everyOther(readCount(raw, 'no_rope_layer_interval', 2 ** 16, 4));
    return Array.from({ length: numLayers }, (_, layer) => withRope(layer));
  }
  if (!Array.isArray(flags) || flags.length < numLayers)
    throw configError('no_rope_layers', `must list ${numLayers} layers, as num_hidden_layers says`);
  return flags.slice(0, numLayers).map((flag: unknown) => {
    if (flag === 0 || flag === 1) return flag === 1;
    throw configError('no_rope_layers', `holds ${JSON.stringify(flag)}, not 0 or 1`);
  });
}
