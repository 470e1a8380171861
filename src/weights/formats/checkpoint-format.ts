import type { JsonObject } from '../../models/config';
import { badTensor, type TensorEntry } from '../safetensors';
import { awqFast, awqGemm, awqGemv, awqSettings } from './awq';
import { compressed, compressedSettings } from './compressed-tensors';
import { autoRoundSettings, gptq, gptqSettings } from './gptq';
import { findLeaf, type QuantLinear, type QuantPlace, requireLeaf, requireScales } from './quant-linear';
import { objectOf, type QuantSettings, quantConfig, unsupportedQuant } from './quant-settings';

export { contradictsSettings } from './quant-linear';

const METHODS: ReadonlyMap<string, (file: string, fields: JsonObject) => QuantSettings> = new Map([
  ['awq', awqSettings],
  ['gptq', gptqSettings],
  ['auto-round', autoRoundSettings],
  ['auto_round', autoRoundSettings],
  ['intel/auto-round', autoRoundSettings],
  ['compressed-tensors', compressedSettings],
]);

/**
 * How config.json says that the linears are stored: null = in float. Throws `unsupported-model` naming the method or the
 * setting, and what is supported.
 */
export function quantSettings(rawConfig: JsonObject): QuantSettings | null {
  const raw = quantConfig(rawConfig);
  if (raw === null) return null;
  const file = 'config.json';
  const fields = objectOf(raw);
  const method = fields?.quant_method ?? null;
  const read = typeof method === 'string' ? METHODS.get(method.toLowerCase()) : undefined;
  if (!fields || !read) throw unsupportedQuant(file, 'quant_method', method);
  return read(file, fields);
}

/** Settings that old exports keep in a file of their own. */
export const SETTINGS_FILES: readonly {
  readonly file: string;
  readonly read: (file: string, fields: JsonObject) => QuantSettings;
}[] = [
  { file: 'quantize_config.json', read: gptqSettings },
  { file: 'quant_config.json', read: awqSettings },
];

/**
 * The linear of a module, in the layout that its tensors show, whatever the settings call it; null for a float one.
 * Throws `bad-checkpoint` naming the tensor that does not fit.
 */
export function findQuantLinear(place: QuantPlace): QuantLinear | null {
  const packed = findLeaf(place, 'weight_packed');
  if (packed) return compressed(place, packed);
  const codes = findLeaf(place, 'qweight');
  if (!codes) return null;
  if (codes.dtype === 'I16') return awqFast(place, codes);
  if (codes.dtype !== 'I32' && codes.dtype !== 'U32')
    throw badTensor(codes.file, codes.name, `is stored as ${codes.dtype}; 4-bit codes are I32 or I16`);
  return findWordLayout(place, codes);
}

function findWordLayout(place: QuantPlace, codes: TensorEntry): QuantLinear {
  const { cols } = place;
  const scales = requireScales(requireLeaf(place, 'scales', codes));
  const [first, second = 0] = codes.shape;
  const [scaleRows, scaleCols] = scales.shape;
  if (codes.shape.length === 2) {
    if (first === cols && second * 8 === scaleCols) return awqGemm(place, codes, scales);
    if (first === cols / 8 && second === scaleCols) return gptq(place, codes, scales);
    if (second === cols / 8 && first === scaleRows) return awqGemv(place, codes, scales);
  }
  const shapes = `[${codes.shape.join(', ')}] beside scales [${scales.shape.join(', ')}]`;
  throw badTensor(
    codes.file,
    codes.name,
    `has the shape ${shapes}, which is no layout of 4-bit codes for ${cols} columns`,
  );
}
