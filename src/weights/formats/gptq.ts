import type { JsonObject } from '../../models/config';
import type { TensorEntry } from '../safetensors';
import {
  findLeaf,
  groupSizeOf,
  optionalZeros,
  type QuantLinear,
  type QuantPlace,
  requireTensor,
} from './quant-linear';
import {
  type ModuleSettings,
  objectOf,
  type QuantSettings,
  readGroupSize,
  readSymmetric,
  requireFourBits,
  unsupportedQuant,
} from './quant-settings';

const VERSIONS: ReadonlyMap<unknown, 'v1' | 'v2'> = new Map([
  ['gptq', 'v1'],
  ['gptq_v2', 'v2'],
]);

/** AutoGPTQ and GPTQModel. */
export function gptqSettings(file: string, fields: JsonObject): QuantSettings {
  requireFourBits(file, fields, 'bits');
  if (fields.is_marlin_format === true) throw unsupportedQuant(file, 'is_marlin_format', true);
  const key = (fields.checkpoint_format ?? null) === null ? 'format' : 'checkpoint_format';
  const version = fields[key] ?? 'gptq';
  const zeros = VERSIONS.get(version);
  if (!zeros) throw unsupportedQuant(file, key, version);
  const packed = fields.pack_dtype ?? 'int32';
  if (packed !== 'int32' && packed !== 'torch.int32') throw unsupportedQuant(file, 'pack_dtype', packed);
  const all = moduleSettings(file, fields);
  const overrides = readDynamic(file, fields.dynamic);
  const borrows = /gptqmodel/i.test(JSON.stringify(objectOf(fields.meta)?.quantizer ?? ''));
  const of = (module: string) => {
    const found = overrides.find(({ pattern }) => pattern.test(module));
    if (!found) return all;
    // only modules that are stored in codes are asked about
    requireFourBits(file, found.fields, 'bits');
    return { ...all, ...found.settings };
  };
  return { file, zeros, borrows, of };
}

/** AutoRound, packed as AWQ or GPTQ v1; the tensors tell which. */
export function autoRoundSettings(file: string, fields: JsonObject): QuantSettings {
  requireFourBits(file, fields, 'bits');
  const packing = fields.packing_format ?? 'auto_gptq';
  if (typeof packing !== 'string' || !/gptq|awq/i.test(packing))
    throw unsupportedQuant(file, 'packing_format', packing);
  const dataType = fields.data_type ?? 'int';
  if (dataType !== 'int') throw unsupportedQuant(file, 'data_type', dataType);
  const all = moduleSettings(file, fields);
  const extra = objectOf(fields.extra_config) ?? {};
  const of = (module: string) => {
    const override = objectOf(extra[module]);
    if (!override) return all;
    requireFourBits(file, override, 'bits');
    return { ...all, ...saidSettings(file, override) };
  };
  return { file, zeros: /gptq_v2/i.test(packing) ? 'v2' : 'v1', borrows: false, of };
}

/** qweight I32 [K/8, N], nibbles along K; scales [G, N]; qzeros I32 [G, N/8]; g_idx I32 [K], where it is there. */
export function gptq(place: QuantPlace, codes: TensorEntry, scales: QuantLinear['scales']): QuantLinear {
  const { module, cols, settings } = place;
  const [numGroups = 0, rows = 0] = scales.shape;
  const said = settings.of(module);
  const zeros = optionalZeros(place, 'qzeros', codes);
  if (zeros) requireTensor(zeros, ['I32', 'U32'], [numGroups, Math.ceil(rows / 8)]);
  const groupIndex = findLeaf(place, 'g_idx');
  if (groupIndex) requireTensor(groupIndex, ['I32'], [cols]);
  return {
    module,
    layout: 'gptq',
    rows,
    cols,
    codes,
    scales,
    // a symmetric file means 8, whatever it holds: some are labelled v1 and hold the zero points of v2
    zeros: said.symmetric === true ? null : zeros,
    zerosLessOne: settings.zeros === 'v1',
    groupIndex,
    groupSize: groupSizeOf(scales, cols, numGroups, said),
    numGroups,
    redundant: zeros && said.symmetric === true ? [zeros.name] : [],
  };
}

function moduleSettings(file: string, fields: JsonObject): ModuleSettings {
  return {
    groupSize: readGroupSize(file, fields, 'group_size'),
    symmetric: readSymmetric(file, fields, 'sym'),
  };
}

/** Only what an override says itself. */
function saidSettings(file: string, fields: JsonObject): Partial<ModuleSettings> {
  const { groupSize, symmetric } = moduleSettings(file, fields);
  return { ...(groupSize === null ? {} : { groupSize }), ...(symmetric === null ? {} : { symmetric }) };
}

/** GPTQModel: `+:` or no sign in front of a pattern overrides, `-:` leaves a module in float. The first one counts. */
function readDynamic(file: string, dynamic: unknown) {
  return Object.entries(objectOf(dynamic) ?? {}).map(([key, fields]) => {
    const text = key.replace(/^[+-]:/, '');
    try {
      const pattern = new RegExp(`^(?:${text})`);
      const said = objectOf(fields) ?? {};
      return { pattern, fields: said, settings: saidSettings(file, said) };
    } catch (thrown) {
      if (thrown instanceof SyntaxError) throw unsupportedQuant(file, 'dynamic', key);
      throw thrown;
    }
  });
}
