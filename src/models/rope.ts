import { TabmindError } from '../errors';
import type { RopeConfig } from './config';

/**
 * Inverse frequencies [rotaryDim / 2] and the factor on cos and sin, as transformers' modeling_rope_utils computes them.
 * Throws `unsupported-model` for a rope type that is not implemented.
 */
export function ropeFrequencies(rope: RopeConfig): {
  readonly frequencies: Float64Array;
  readonly factor: number;
} {
  const half = rope.rotaryDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => rope.theta ** (-i / half));
  const scaling = rope.scaling;
  if (scaling === null) return { frequencies: plain, factor: 1 };
  const type = String(scaling.rope_type ?? scaling.type ?? 'default');
  const number = (key: string, otherwise?: number): number => {
    const value = scaling[key] ?? otherwise;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new TabmindError(
      'bad-checkpoint',
      `config.json: rope scaling "${type}" needs a number in "${key}".`,
    );
  };
  switch (type) {
    case 'default':
      return { frequencies: plain, factor: 1 };
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / number('factor')), factor: 1 };
    case 'llama3':
      return { frequencies: plain.map((frequency) => llama3(frequency, number)), factor: 1 };
    case 'yarn':
      return yarn(rope, plain, number, scaling);
    default:
      throw new TabmindError('unsupported-model', `config.json: rope scaling "${type}" is not supported.`, {
        remedy: 'Supported are: default, linear, llama3, yarn.',
      });
  }
}

/** Llama 3.1: long waves are slowed by `factor`, short ones kept, those between blended. */
function llama3(frequency: number, number: (key: string) => number): number {
  const original = number('original_max_position_embeddings');
  const [low, high] = [number('low_freq_factor'), number('high_freq_factor')];
  const wave = (2 * Math.PI) / frequency;
  if (wave > original / low) return frequency / number('factor');
  if (wave < original / high) return frequency;
  const smooth = (original / wave - low) / (high - low);
  return ((1 - smooth) * frequency) / number('factor') + smooth * frequency;
}

/** YaRN (Peng et al. 2023). */
function yarn(
  rope: RopeConfig,
  plain: Float64Array,
  number: (key: string, otherwise?: number) => number,
  scaling: Readonly<Record<string, unknown>>,
): { readonly frequencies: Float64Array; readonly factor: number } {
  const factor = number('factor');
  const original = number('original_max_position_embeddings');
  const dimOf = (rotations: number) =>
    (rope.rotaryDim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta));
  const truncate = scaling.truncate !== false;
  const [lowDim, highDim] = [dimOf(number('beta_fast', 32)), dimOf(number('beta_slow', 1))];
  const low = Math.max(truncate ? Math.floor(lowDim) : lowDim, 0);
  let high = Math.min(truncate ? Math.ceil(highDim) : highDim, rope.rotaryDim - 1);
  if (low === high) high += 0.001;
  const frequencies = plain.map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
  return { frequencies, factor: yarnFactor(factor, number, scaling) };
}

function yarnFactor(
  factor: number,
  number: (key: string, otherwise?: number) => number,
  scaling: Readonly<Record<string, unknown>>,
): number {
  if (typeof scaling.attention_factor === 'number') return scaling.attention_factor;
  const mscale = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  if (scaling.mscale && scaling.mscale_all_dim)
    return mscale(number('mscale')) / mscale(number('mscale_all_dim'));
  return mscale(1);
}

/** f32 (cos, sin) pairs [contextLength][rotaryDim / 2][2], computed in f64: GPU sin and cos are too coarse. */
export function ropeTable(rope: RopeConfig, contextLength: number): Float32Array<ArrayBuffer> {
  const { frequencies, factor } = ropeFrequencies(rope);
  const table = new Float32Array(contextLength * rope.rotaryDim);
  let at = 0;
  for (let position = 0; position < contextLength; position++)
    for (const frequency of frequencies) {
      // transformers multiplies in f32: the angle is rounded before cos and sin
      const angle = Math.fround(Math.fround(frequency) * position);
      table[at++] = Math.cos(angle) * factor;
      table[at++] = Math.sin(angle) * factor;
    }
  return table;
}
