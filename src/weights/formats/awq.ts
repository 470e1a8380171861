import type { JsonObject } from '../../models/config';
import { badTensor, type TensorEntry } from '../safetensors';
import {
  groupSizeOf,
  optionalZeros,
  type QuantLinear,
  type QuantPlace,
  requireLeaf,
  requireScales,
  requireTensor,
} from './quant-linear';
import { type QuantSettings, readGroupSize, requireFourBits, unsupportedQuant } from './quant-settings';

/** AutoAWQ and llm-awq. Their own layouts store zero points as they are; tensors that turn out to be GPTQ's are taken as v1. */
export function awqSettings(file: string, fields: JsonObject): QuantSettings {
  requireFourBits(file, fields, 'bits', 'w_bit');
  const { version } = fields;
  if (typeof version === 'string' && /marlin/i.test(version))
    throw unsupportedQuant(file, 'version', version);
  const groupSize = readGroupSize(file, fields, 'group_size', 'q_group_size');
  const symmetric = fields.zero_point === false ? true : null;
  return { file, zeros: 'v1', borrows: false, of: () => ({ groupSize, symmetric }) };
}

/** Version GEMM: qweight I32 [K, N/8], nibbles in the order 0 2 4 6 1 3 5 7; scales [G, N]; qzeros I32 [G, N/8]. */
export function awqGemm(place: QuantPlace, codes: TensorEntry, scales: QuantLinear['scales']): QuantLinear {
  const { module, cols, settings } = place;
  const [numGroups = 0, rows = 0] = scales.shape;
  const zeros = optionalZeros(place, 'qzeros', codes);
  if (zeros) requireTensor(zeros, ['I32', 'U32'], [numGroups, rows / 8]);
  const groupSize = groupSizeOf(scales, cols, numGroups, settings.of(module));
  return { ...linearOf(place, codes, scales), layout: 'awq-gemm', rows, zeros, groupSize, numGroups };
}

/** Version GEMV: qweight I32 [N, K/8]; scales [N, 8·zw], qzeros I32 [N, zw], of which the first K/g groups count. */
export function awqGemv(place: QuantPlace, codes: TensorEntry, scales: QuantLinear['scales']): QuantLinear {
  const [rows = 0] = scales.shape;
  const { groupSize, numGroups, width } = paddedGroups(place, scales);
  requireTensor(scales, [scales.dtype], [rows, 8 * width]);
  const zeros = requireTensor(requireLeaf(place, 'qzeros', codes), ['I32', 'U32'], [rows, width]);
  return { ...linearOf(place, codes, scales), layout: 'awq-gemv', rows, zeros, groupSize, numGroups };
}

/** Version GEMV_fast, llm-awq: qweight I16 [N/4, K] interleaved; scales [8·zw, N], qzeros F16 [8·zw, N] = −z · s. */
export function awqFast(place: QuantPlace, codes: TensorEntry): QuantLinear {
  const { cols } = place;
  const scales = requireScales(requireLeaf(place, 'scales', codes));
  const [, rows = 0] = scales.shape;
  requireTensor(codes, ['I16'], [rows / 4, cols]);
  if (cols % 64 !== 0)
    throw badTensor(codes.file, codes.name, `has ${cols} columns, which this layout cannot hold`);
  const { groupSize, numGroups, width } = paddedGroups(place, scales);
  requireTensor(scales, ['F16'], [8 * width, rows]);
  const zeros = requireTensor(
    requireLeaf(place, leafOf(place, 'qzeros', 'scaled_zeros'), codes),
    ['F16'],
    [8 * width, rows],
  );
  return { ...linearOf(place, codes, scales), layout: 'awq-fast', rows, zeros, groupSize, numGroups };
}

/** The groups are padded, so that only the settings know their number. */
function paddedGroups({ module, cols, settings }: QuantPlace, scales: TensorEntry) {
  const said = settings.of(module).groupSize;
  if (said === null) throw unsupportedQuant(settings.file, 'group_size', null);
  const numGroups = Math.ceil(cols / (said || cols));
  const groupSize = groupSizeOf(scales, cols, numGroups, { groupSize: said, symmetric: null });
  const multiple = groupSize >= 128 ? 1 : 128 / groupSize;
  const width = Math.ceil(Math.ceil(numGroups / 8) / multiple) * multiple;
  return { groupSize, numGroups, width };
}

function leafOf({ module, directory }: QuantPlace, usual: string, other: string): string {
  return directory.tensors.has(`${module}.${other}`) ? other : usual;
}

function linearOf({ module, cols }: QuantPlace, codes: TensorEntry, scales: QuantLinear['scales']) {
  return { module, cols, codes, scales, zerosLessOne: false, groupIndex: null, redundant: [] } as const;
}
