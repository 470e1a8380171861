import { configError, type JsonObject, readCount, unsupported } from './config-fields';

/** `sliding_window` in tokens, 0 where there is none. `fallback` is taken where the key is absent; null means none. */
export function readWindow(raw: JsonObject, fallback: number): number {
  if (raw.sliding_window === null) return 0;
  if (raw.sliding_window === undefined && fallback === 0) return 0;
  return readCount(raw, 'sliding_window', 2 ** 31, fallback);
}

/** The window of every layer: as `layer_types` says (transformers 5), else where `isSliding`. 0 = sees all. */
export function readLayerWindows(
  raw: JsonObject,
  numLayers: number,
  window: number,
  isSliding: (layer: number) => boolean,
): readonly number[] {
  const types = raw.layer_types;
  if (types === undefined || types === null)
    return Array.from({ length: numLayers }, (_, layer) => (isSliding(layer) ? window : 0));
  if (!Array.isArray(types) || types.length !== numLayers)
    throw configError('layer_types', `must list ${numLayers} layers, as num_hidden_layers says`);
  return types.map((type: unknown) => {
    if (type === 'full_attention') return 0;
    if (type !== 'sliding_attention')
      throw unsupported('layer_types', type, ['full_attention', 'sliding_attention']);
    if (window === 0)
      throw configError('layer_types', 'names sliding_attention, but sliding_window is not set');
    return window;
  });
}

/** Layers of which every `interval`-th (counted from 1) sees all. */
export function everyOther(interval: number): (layer: number) => boolean {
  return (layer) => (layer + 1) % interval !== 0;
}
