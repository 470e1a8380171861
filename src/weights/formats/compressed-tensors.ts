import type { JsonObject } from '../../models/config';
import { badTensor, type TensorEntry } from '../safetensors';
import {
  findLeaf,
  groupSizeOf,
  optionalZeros,
  type QuantLinear,
  type QuantPlace,
  requireLeaf,
  requireScales,
  requireTensor,
} from './quant-linear';
import { objectOf, type QuantSettings, readGroupSize, unsupportedQuant } from './quant-settings';

const FORMAT = 'pack-quantized';

/** llm-compressor: `config_groups`, every one of them 4-bit integer weights. */
export function compressedSettings(file: string, fields: JsonObject): QuantSettings {
  if (fields.format !== FORMAT) throw unsupportedQuant(file, 'format', fields.format ?? null);
  if (Object.keys(objectOf(fields.transform_config) ?? {}).length > 0)
    throw unsupportedQuant(file, 'transform_config', fields.transform_config);
  const sparsity = objectOf(fields.sparsity_config)?.format ?? 'dense';
  if (sparsity !== 'dense') throw unsupportedQuant(file, 'sparsity_config.format', sparsity);
  const groups = Object.entries(objectOf(fields.config_groups) ?? {});
  if (groups.length === 0) throw unsupportedQuant(file, 'config_groups', fields.config_groups ?? null);
  const read = groups.map(([name, group]) => readGroup(file, `config_groups.${name}`, objectOf(group) ?? {}));
  const [first] = read;
  // groups choose their modules by class or pattern; where they differ, the tensors alone decide
  const same = <T>(pick: (group: GroupSettings) => T): T | null =>
    first && read.every((group) => pick(group) === pick(first)) ? pick(first) : null;
  const all = { groupSize: same((group) => group.groupSize), symmetric: same((group) => group.symmetric) };
  return { file, zeros: 'v2', borrows: false, of: () => all };
}

interface GroupSettings {
  readonly groupSize: number | null;
  readonly symmetric: boolean;
}

function readGroup(file: string, key: string, group: JsonObject): GroupSettings {
  const weights = objectOf(group.weights) ?? {};
  const required = { num_bits: 4, type: 'int' } as const;
  for (const [field, value] of Object.entries(required))
    if (weights[field] !== value)
      throw unsupportedQuant(file, `${key}.weights.${field}`, weights[field] ?? null);
  if ((weights.dynamic ?? false) !== false)
    throw unsupportedQuant(file, `${key}.weights.dynamic`, weights.dynamic);
  const strategy = weights.strategy ?? 'group';
  if (strategy !== 'group' && strategy !== 'channel')
    throw unsupportedQuant(file, `${key}.weights.strategy`, strategy);
  for (const field of ['input_activations', 'output_activations'])
    if ((group[field] ?? null) !== null) throw unsupportedQuant(file, `${key}.${field}`, group[field]);
  if ((group.format ?? FORMAT) !== FORMAT) throw unsupportedQuant(file, `${key}.format`, group.format);
  const groupSize = strategy === 'channel' ? 0 : readGroupSize(file, weights, 'group_size');
  return { groupSize, symmetric: (weights.symmetric ?? true) === true };
}

/**
 * weight_packed I32 [N, ⌈K/8⌉], codes + 8; weight_scale [N, G]; weight_zero_point, where asymmetric, I32 [⌈N/8⌉, G] (+ 8,
 * packed along N) or, from older versions, I8 [N, G]; weight_g_idx I32 [K] with act-order by group.
 */
export function compressed(place: QuantPlace, codes: TensorEntry): QuantLinear {
  const { module, cols, settings } = place;
  const scales = requireScales(requireLeaf(place, 'weight_scale', codes));
  const [rows = 0, numGroups = 0] = scales.shape;
  requireTensor(codes, ['I32', 'U32'], [rows, Math.ceil(cols / 8)]);
  const zeros = optionalZeros({ ...place, settings: lenient(settings) }, 'weight_zero_point', codes);
  if (zeros)
    requireTensor(
      zeros,
      ['I32', 'I8'],
      zeros.dtype === 'I8' ? [rows, numGroups] : [Math.ceil(rows / 8), numGroups],
    );
  const groupIndex = findLeaf(place, 'weight_g_idx');
  if (groupIndex) requireTensor(groupIndex, ['I32'], [cols]);
  const shape = findLeaf(place, 'weight_shape');
  if (shape && (shape.shape.length !== 1 || shape.shape[0] !== 2))
    throw badTensor(shape.file, shape.name, `has the shape [${shape.shape.join(', ')}], not [2]`);
  return {
    module,
    layout: 'compressed',
    rows,
    cols,
    codes,
    scales,
    zeros,
    zerosLessOne: false,
    groupIndex,
    groupSize: groupSizeOf(scales, cols, numGroups, settings.of(module)),
    numGroups,
    redundant: shape ? [shape.name] : [],
  };
}

/** Where groups differ in symmetry, a module without zero points is a symmetric one. */
function lenient(settings: QuantSettings): QuantSettings {
  const of = (module: string) => {
    const said = settings.of(module);
    return { ...said, symmetric: said.symmetric ?? true };
  };
  return { ...settings, of };
}
