import { TabmindError } from '../../errors';
import type { FloatDtype } from '../../kernels/quantize';
import { badTensor, type TensorEntry } from '../safetensors';
import type { TensorDirectory } from '../tensor-directory';
import type { ModuleSettings, QuantSettings } from './quant-settings';

/** Where the 4-bit codes of a matrix W [N, K] lie in its tensors (CHECKPOINT formats; N rows out, K columns in). */
export type QuantLayout = 'awq-gemm' | 'awq-gemv' | 'awq-fast' | 'gptq' | 'compressed';

/**
 * A linear that a checkpoint holds in 4 bits: W[n, k] = (u[n, k] − z[n, γ]) · s[n, γ], γ the group of column k. The
 * shapes of its tensors are checked against each other.
 */
export interface QuantLinear {
  readonly module: string;
  readonly layout: QuantLayout;
  /** N */
  readonly rows: number;
  /** K */
  readonly cols: number;
  readonly codes: TensorEntry;
  readonly scales: TensorEntry & { readonly dtype: FloatDtype };
  /** null: 8 everywhere. */
  readonly zeros: TensorEntry | null;
  /** GPTQ v1: the stored zero points are one less. */
  readonly zerosLessOne: boolean;
  readonly groupIndex: TensorEntry | null;
  /** Columns of a group; K where a row is one group. The last group may be short. */
  readonly groupSize: number;
  readonly numGroups: number;
  /** Tensors of the module that carry nothing more, such as weight_shape. */
  readonly redundant: readonly string[];
}

/** One module that may be such a linear. */
export interface QuantPlace {
  readonly module: string;
  /** K of the model. */
  readonly cols: number;
  readonly directory: TensorDirectory;
  readonly settings: QuantSettings;
}

export function findLeaf({ module, directory }: QuantPlace, leaf: string): TensorEntry | null {
  return directory.tensors.get(`${module}.${leaf}`) ?? null;
}

/** Throws `bad-checkpoint` where there is no such tensor beside `codes`. */
export function requireLeaf(place: QuantPlace, leaf: string, codes: TensorEntry): TensorEntry {
  const entry = findLeaf(place, leaf);
  if (!entry)
    throw badTensor(codes.file, `${place.module}.${leaf}`, `is missing, although ${codes.name} is there`);
  return entry;
}

/** Throws `bad-checkpoint` unless dtype and shape are those. */
export function requireTensor(
  entry: TensorEntry,
  dtypes: readonly string[],
  shape: readonly number[],
): TensorEntry {
  if (!dtypes.includes(entry.dtype))
    throw badTensor(
      entry.file,
      entry.name,
      `is stored as ${entry.dtype}; here it must be ${dtypes.join(' or ')}`,
    );
  if (shape.length !== entry.shape.length || shape.some((size, axis) => size !== entry.shape[axis]))
    throw badTensor(
      entry.file,
      entry.name,
      `has the shape [${entry.shape.join(', ')}]; the tensors beside it ask for [${shape.join(', ')}]`,
    );
  return entry;
}

export function requireScales(entry: TensorEntry): QuantLinear['scales'] {
  const { dtype } = entry;
  if (dtype === 'F16' || dtype === 'BF16' || dtype === 'F32') {
    if (entry.shape.length === 2) return { ...entry, dtype };
    throw badTensor(entry.file, entry.name, `has the shape [${entry.shape.join(', ')}], not two dimensions`);
  }
  throw badTensor(entry.file, entry.name, `is stored as ${dtype}; scales must be F16, BF16 or F32`);
}

/** null where a symmetric checkpoint leaves the zero points out; `bad-checkpoint` where another does. */
export function optionalZeros(place: QuantPlace, leaf: string, codes: TensorEntry): TensorEntry | null {
  const entry = findLeaf(place, leaf);
  if (entry || place.settings.of(place.module).symmetric === true) return entry;
  return requireLeaf(place, leaf, codes);
}

/**
 * Columns of a group when the scales show `numGroups` of them: the settings' figure where it fits, else the quotient.
 * Throws `bad-checkpoint` where there is none and `unsupported-model` where it is not a multiple of 32.
 */
export function groupSizeOf(
  scales: TensorEntry,
  cols: number,
  numGroups: number,
  { groupSize: said }: ModuleSettings,
): number {
  if (numGroups === 1) return cols;
  const isSaid = said !== null && said > 0 && Math.ceil(cols / said) === numGroups;
  if (!isSaid && (numGroups < 1 || cols % numGroups !== 0))
    throw badTensor(
      scales.file,
      scales.name,
      `has the shape [${scales.shape.join(', ')}]: ${cols} columns do not make ${numGroups} groups`,
    );
  const groupSize = isSaid ? said : cols / numGroups;
  if (groupSize % 32 !== 0) throw oddGroups(scales, groupSize);
  return groupSize;
}

/** True where the settings name a group size that the tensors do not have. */
export function contradictsSettings(
  { cols, numGroups, module }: QuantLinear,
  settings: QuantSettings,
): boolean {
  const said = settings.of(module).groupSize;
  return said !== null && numGroups !== (said === 0 ? 1 : Math.ceil(cols / said));
}

function oddGroups(scales: TensorEntry, groupSize: number): TabmindError {
  return new TabmindError(
    'unsupported-model',
    `${scales.file}: tensor ${scales.name} has a scale for every ${groupSize} columns; tabmind reads groups of multiples of 32 columns, and whole rows.`,
    {
      meaning: 'The weights of this checkpoint are stored in a way that tabmind cannot read.',
      remedy: 'Choose the original float checkpoint of this model, or one with groups of 32, 64 or 128.',
      details: { file: scales.file, tensor: scales.name, groupSize },
    },
  );
}
