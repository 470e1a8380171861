import {
  configError,
  isObject,
  type JsonObject,
  readCount,
  readNumber,
  readPositive,
  readPositives,
  unsupported,
} from './config-fields';

export interface RopeConfig {
  readonly theta: number;
  /** Rotated leading dims of a head; even. */
  readonly rotaryDim: number;
  /** null = plain. */
  readonly scaling: RopeScaling | null;
}

/** How a rope is stretched beyond the length it was trained for; lengths in tokens. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number; readonly trainedLength: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly trainedLength: number;
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whole dims as borders of the ramp. */
      readonly truncate: boolean;
      readonly trainedLength: number;
      /** Multiplies cos and sin. */
      readonly attentionFactor: number;
    }
  | {
      readonly type: 'longrope';
      /** [rotaryDim / 2] divisors of the frequencies up to the trained length, and beyond it. */
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly trainedLength: number;
      readonly attentionFactor: number;
    };

/** What a family takes where config.json is silent. */
export interface RopeDefaults {
  readonly ropeTheta?: number;
  /** Share of a head's dims that is rotated; default 1. */
  readonly partialRotary?: number;
  /** max_position_embeddings. */
  readonly maxPositions?: number;
  /** The whole `rope_parameters`. */
  readonly ropeParameters?: JsonObject;
}

/** Layers that a rope belongs to, where a model has several: keys of `rope_parameters` in transformers 5. */
export type RopePart = 'full_attention' | 'sliding_attention';

const DEFAULT_THETA = 10000;

/** Old spellings of `rope_type`. */
const ALIASES: ReadonlyMap<unknown, string> = new Map([['su', 'longrope']]);

const TYPES = ['default', 'linear', 'dynamic', 'yarn', 'llama3', 'longrope'] as const;

/**
 * `rope_theta` + `rope_scaling` (transformers 4) or `rope_parameters` (transformers 5, one for each `part` of the layers
 * where a part is given). Throws `unsupported-model` for an unknown kind, `bad-checkpoint` for a number that is missing
 * or impossible.
 */
export function parseRope(
  raw: JsonObject,
  headDim: number,
  defaults: RopeDefaults = {},
  part: RopePart | null = null,
): RopeConfig {
  const fields = ropeFields(raw, defaults, part);
  const theta = readPositive(fields, 'rope_theta', defaults.ropeTheta ?? DEFAULT_THETA);
  const share = readPositive(fields, 'partial_rotary_factor', defaults.partialRotary ?? 1);
  const rotaryDim = Math.floor(headDim * share);
  if (share > 1 || rotaryDim < 2 || rotaryDim % 2 !== 0)
    throw configError(
      'partial_rotary_factor',
      `(${share}) of head_dim ${headDim} is not an even number of dimensions`,
    );
  const maxPositions = () => readCount(raw, 'max_position_embeddings', 2 ** 31, defaults.maxPositions);
  // the top-level key comes first (Phi-3), then the one of the rope, then what the model is made for
  const original = 'original_max_position_embeddings';
  const said = raw[original] ?? fields[original] ?? null;
  const trainedLength = () =>
    said === null ? maxPositions() : readCount({ [original]: said }, original, 2 ** 31);
  return { theta, rotaryDim, scaling: readScaling(fields, { maxPositions, trainedLength, rotaryDim }) };
}

/** All that config.json says about a rope, in one object whatever the spelling; older top-level keys last. */
export function ropeFields(
  raw: JsonObject,
  defaults: RopeDefaults = {},
  part: RopePart | null = null,
): JsonObject {
  const parameters = readBlock(raw, 'rope_parameters');
  const { rope_theta, partial_rotary_factor } = raw;
  const top = { rope_theta, partial_rotary_factor };
  const named = parameters && (isObject(parameters.full_attention) || isObject(parameters.sliding_attention));
  if (named && part === null)
    throw configError('rope_parameters', 'differs by layer type, which this architecture does not do');
  if (named && part !== null) return { ...top, ...readBlock(parameters, part) };
  return { ...top, ...(parameters ?? readBlock(raw, 'rope_scaling') ?? defaults.ropeParameters) };
}

/** Tokens that a stretched rope makes room for in a model made for `maxPositions`. */
export function stretchedLength(scaling: RopeScaling | null, maxPositions: number): number {
  switch (scaling?.type) {
    case 'linear':
    case 'dynamic':
      return Math.floor(maxPositions * Math.max(1, scaling.factor));
    case 'yarn':
      return Math.max(maxPositions, Math.floor(scaling.trainedLength * scaling.factor));
    default:
      return maxPositions;
  }
}

function readBlock(raw: JsonObject, key: string): JsonObject | null {
  const value = raw[key] ?? null;
  if (value !== null && !isObject(value)) throw configError(key, 'is neither an object nor null');
  return value;
}

/** Lengths that only some kinds of scaling ask for. */
interface RopeLengths {
  readonly maxPositions: () => number;
  readonly trainedLength: () => number;
  readonly rotaryDim: number;
}

function readScaling(fields: JsonObject, lengths: RopeLengths): RopeScaling | null {
  const named = fields.rope_type ?? fields.type ?? 'default';
  const type = TYPES.find((known) => known === (ALIASES.get(named) ?? named));
  switch (type) {
    case undefined:
      throw unsupported('rope_type', named, TYPES);
    case 'default':
      return null;
    case 'linear':
      return { type, factor: readPositive(fields, 'factor') };
    case 'dynamic':
      // transformers measures dynamic scaling by max_position_embeddings, whatever else is said
      return { type, factor: readPositive(fields, 'factor'), trainedLength: lengths.maxPositions() };
    case 'llama3':
      return {
        type,
        factor: readPositive(fields, 'factor'),
        lowFrequencyFactor: readPositive(fields, 'low_freq_factor'),
        highFrequencyFactor: readPositive(fields, 'high_freq_factor'),
        trainedLength: readCount(fields, 'original_max_position_embeddings', 2 ** 31),
      };
    case 'yarn':
      return readYarn(fields, lengths.trainedLength());
    case 'longrope':
      return readLongrope(fields, lengths);
  }
}

/** YaRN (Peng et al. 2023). */
function readYarn(fields: JsonObject, trainedLength: number): RopeScaling {
  const factor = readPositive(fields, 'factor');
  const [mscale, mscaleAllDim] = ['mscale', 'mscale_all_dim'].map((key) => readNumber(fields, key, 0));
  const stretch = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const implied = mscale && mscaleAllDim ? stretch(mscale) / stretch(mscaleAllDim) : stretch(1);
  return {
    type: 'yarn',
    factor,
    // as in transformers, 0 means: not set
    betaFast: readNumber(fields, 'beta_fast', 0) || 32,
    betaSlow: readNumber(fields, 'beta_slow', 0) || 1,
    truncate: fields.truncate !== false,
    trainedLength,
    attentionFactor: readPositive(fields, 'attention_factor', implied),
  };
}

/** LongRoPE (Ding et al. 2024). */
function readLongrope(fields: JsonObject, lengths: RopeLengths): RopeScaling {
  const trainedLength = lengths.trainedLength();
  const factor = readPositive(fields, 'factor', lengths.maxPositions() / trainedLength);
  const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trainedLength));
  return {
    type: 'longrope',
    shortFactors: readPositives(fields, 'short_factor', lengths.rotaryDim / 2),
    longFactors: readPositives(fields, 'long_factor', lengths.rotaryDim / 2),
    trainedLength,
    attentionFactor: readPositive(fields, 'attention_factor', implied),
  };
}
