import {
  configError,
  isObject,
  type JsonObject,
  readCount,
  readPositive,
  unsupported,
} from './config-fields';

export interface RopeConfig {
  readonly theta: number;
  /** Rotated leading dims of a head; even. */
  readonly rotaryDim: number;
  /** null = plain. Fields as in config.json (`rope_type`, `factor`, …), old key spellings already mapped. */
  readonly scaling: Readonly<Record<string, unknown>> | null;
}

const DEFAULT_THETA = 10000;

/** Old spellings of `rope_type`. */
const ALIASES: ReadonlyMap<unknown, string> = new Map([['su', 'longrope']]);

/** Numbers that a scaled rope cannot do without. */
const REQUIRED: ReadonlyMap<string, readonly string[]> = new Map([
  ['linear', ['factor']],
  ['dynamic', ['factor']],
  ['yarn', ['factor']],
  ['llama3', ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings']],
  ['longrope', []],
]);

/**
 * `rope_theta` + `rope_scaling` (transformers 4) or `rope_parameters` (transformers 5). The scaling that comes out always
 * says `rope_type`, never `type`. Throws `unsupported-model` for an unknown kind, `bad-checkpoint` for a missing number.
 */
export function parseRope(raw: JsonObject, headDim: number): RopeConfig {
  const parameters = readBlock(raw, 'rope_parameters');
  const block = parameters ?? readBlock(raw, 'rope_scaling');
  const theta = readPositive(
    parameters && parameters.rope_theta !== undefined ? parameters : raw,
    'rope_theta',
    DEFAULT_THETA,
  );
  const share = readPositive(
    parameters && parameters.partial_rotary_factor !== undefined ? parameters : raw,
    'partial_rotary_factor',
    1,
  );
  const rotaryDim = Math.floor(headDim * share);
  if (share > 1 || rotaryDim < 2 || rotaryDim % 2 !== 0)
    throw configError(
      'partial_rotary_factor',
      `(${share}) of head_dim ${headDim} is not an even number of dimensions`,
    );
  return { theta, rotaryDim, scaling: block === null ? null : readScaling(raw, block) };
}

function readBlock(raw: JsonObject, key: string): JsonObject | null {
  const value = raw[key] ?? null;
  if (value !== null && !isObject(value)) throw configError(key, 'is neither an object nor null');
  return value;
}

function readScaling(raw: JsonObject, block: JsonObject): JsonObject | null {
  const { type, rope_type: modern, rope_theta: _theta, partial_rotary_factor: _share, ...fields } = block;
  const named = modern ?? type ?? 'default';
  const ropeType = ALIASES.get(named) ?? named;
  if (ropeType === 'default') return null;
  const required = typeof ropeType === 'string' ? REQUIRED.get(ropeType) : undefined;
  if (!required) throw unsupported('rope_type', named, ['default', ...REQUIRED.keys()]);
  for (const key of required) readPositive(block, key);
  // as transformers does: the trained length is max_position_embeddings unless something else is said
  const original = block.original_max_position_embeddings ?? raw.original_max_position_embeddings;
  const trained = { original_max_position_embeddings: original ?? raw.max_position_embeddings };
  const length = readCount(trained, 'original_max_position_embeddings', 2 ** 31);
  return { ...fields, rope_type: ropeType, original_max_position_embeddings: length };
}
