import { TabmindError } from '../../errors';
import type { JsonObject } from '../../models/config';

/** What the settings say of one module. The tensors decide; this helps where they leave a choice. */
export interface ModuleSettings {
  /** Columns of a group; 0 = the whole row; null = not said. */
  readonly groupSize: number | null;
  /** Zero point 8 everywhere; null = not said. */
  readonly symmetric: boolean | null;
}

/** The quantisation settings of a checkpoint, whatever the method. */
export interface QuantSettings {
  /** File that they were read from. */
  readonly file: string;
  /** How GPTQ zero points are stored: less one, or as they are. */
  readonly zeros: 'v1' | 'v2';
  /** True: the writer subtracts the one of v1 from whole words, with borrow, so that adding it back is exact. */
  readonly borrows: boolean;
  of(module: string): ModuleSettings;
}

const SUPPORTED =
  'tabmind reads float16, bfloat16 and float32 checkpoints, and 4-bit ones in the formats AWQ, GPTQ (v1 and v2), AutoRound and compressed-tensors pack-quantized';

/** A refusal of a quantisation that is sound but not one of ours. `key` is a path inside the settings. */
export function unsupportedQuant(file: string, key: string, value: unknown): TabmindError {
  const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
  const at = file === 'config.json' ? `quantization_config.${key}` : key;
  return new TabmindError('unsupported-model', `${file}: ${at} is ${shown}; ${SUPPORTED}.`, {
    meaning: 'The weights of this checkpoint are stored in a way that tabmind cannot read.',
    remedy: 'Choose the original float checkpoint of this model, or one in a format that tabmind reads.',
    details: { file, key: at, value: String(shown) },
  });
}

/** The first of `keys` that is a number or null there; -1 (the whole row) becomes 0. */
export function readGroupSize(file: string, fields: JsonObject, ...keys: readonly string[]): number | null {
  for (const key of keys) {
    const value = fields[key] ?? null;
    if (value === null) continue;
    if (value === -1) return 0;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    throw unsupportedQuant(file, key, value);
  }
  return null;
}

/** Throws unless the bits, where they are said, are 4. */
export function requireFourBits(file: string, fields: JsonObject, ...keys: readonly string[]): void {
  for (const key of keys)
    if ((fields[key] ?? null) !== null && fields[key] !== 4) throw unsupportedQuant(file, key, fields[key]);
}

export function readSymmetric(file: string, fields: JsonObject, key: string): boolean | null {
  const value = fields[key] ?? null;
  if (value === null || typeof value === 'boolean') return value;
  throw unsupportedQuant(file, key, value);
}

export function objectOf(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** What config.json says of linears that are not stored in float; null: nothing. */
export function quantConfig(rawConfig: JsonObject): unknown {
  const nested = objectOf(rawConfig.text_config)?.quantization_config;
  return rawConfig.quantization_config ?? rawConfig.compression_config ?? nested ?? null;
}

/** A module, and the tensors of its checkpoint by name. */
interface ModuleNames {
  readonly module: string;
  readonly directory: { readonly tensors: ReadonlyMap<string, unknown> };
}

/** True where a module's codes are there in any of the layouts. */
export function hasCodes({ module, directory }: ModuleNames): boolean {
  return ['qweight', 'weight_packed'].some((leaf) => directory.tensors.has(`${module}.${leaf}`));
}
