import type { RopeConfig, RopeScaling } from './rope-config';

/** [rotaryDim / 2] angles per position, and what multiplies cos and sin. */
export interface RopeFrequencies {
  readonly frequencies: Float64Array;
  readonly factor: number;
}

/**
 * The frequencies for a sequence of `length` tokens, as transformers' modeling_rope_utils computes them. Only dynamic
 * and longrope scaling look at the length.
 */
export function ropeFrequencies(rope: RopeConfig, length: number): RopeFrequencies {
  const { scaling, theta } = rope;
  const plain = powers(theta, rope.rotaryDim);
  switch (scaling?.type) {
    case undefined:
      return { frequencies: plain, factor: 1 };
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), factor: 1 };
    case 'llama3':
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), factor: 1 };
    case 'yarn':
      return { frequencies: yarn(rope, plain, scaling), factor: scaling.attentionFactor };
    case 'dynamic':
      return { frequencies: dynamic(rope, scaling, length), factor: 1 };
    case 'longrope': {
      const factors = length > scaling.trainedLength ? scaling.longFactors : scaling.shortFactors;
      const frequencies = plain.map((frequency, i) => frequency / (factors[i] ?? Number.NaN));
      return { frequencies, factor: scaling.attentionFactor };
    }
  }
}

/** Tokens up to which one table holds for every length; no limit for ropes that do not look at the length. */
export function fixedLength(rope: RopeConfig): number {
  const { scaling } = rope;
  const varies = scaling?.type === 'dynamic' || scaling?.type === 'longrope';
  return varies ? scaling.trainedLength : Number.POSITIVE_INFINITY;
}

/**
 * f32 (cos, sin) pairs [contextLength][rotaryDim / 2][2] for tokens that come one by one: the row of position p holds
 * the frequencies for p + 1 tokens. Computed in f64 because GPU sines are too coarse.
 */
export function ropeTable(rope: RopeConfig, contextLength: number): Float32Array<ArrayBuffer> {
  const fixed = Math.min(contextLength, fixedLength(rope));
  const table = new Float32Array(contextLength * rope.rotaryDim);
  fillRows(table, 0, fixed, ropeFrequencies(rope, 1));
  for (let position = fixed; position < contextLength; position++)
    fillRows(
      table.subarray(position * rope.rotaryDim),
      position,
      position + 1,
      ropeFrequencies(rope, position + 1),
    );
  return table;
}

/** Rows [firstPosition, firstPosition + numRows) of the table of a prompt that has `length` tokens in all. */
export function ropeRows(
  rope: RopeConfig,
  firstPosition: number,
  numRows: number,
  length: number,
): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(numRows * rope.rotaryDim);
  fillRows(rows, firstPosition, firstPosition + numRows, ropeFrequencies(rope, length));
  return rows;
}

function fillRows(rows: Float32Array, from: number, to: number, { frequencies, factor }: RopeFrequencies) {
  let at = 0;
  for (let position = from; position < to; position++)
    for (const frequency of frequencies) {
      // transformers multiplies in f32: the angle is rounded before cos and sin
      const angle = Math.fround(Math.fround(frequency) * position);
      rows[at++] = Math.cos(angle) * factor;
      rows[at++] = Math.sin(angle) * factor;
    }
}

function powers(theta: number, rotaryDim: number): Float64Array {
  return Float64Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
}

type Scaling<Type extends RopeScaling['type']> = Extract<RopeScaling, { readonly type: Type }>;

/** Dynamic NTK (bloc97, emozilla 2023): the base grows with the length, so that the slowest wave fits into it. */
function dynamic({ theta, rotaryDim }: RopeConfig, scaling: Scaling<'dynamic'>, length: number) {
  const { factor, trainedLength } = scaling;
  const growth = (factor * Math.max(length, trainedLength)) / trainedLength - (factor - 1);
  return powers(theta * growth ** (rotaryDim / (rotaryDim - 2)), rotaryDim);
}

/** Llama 3.1: long waves are slowed by `factor`, short ones kept, those between blended. */
function llama3(frequency: number, scaling: Scaling<'llama3'>): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, trainedLength } = scaling;
  const wave = (2 * Math.PI) / frequency;
  if (wave > trainedLength / low) return frequency / factor;
  if (wave < trainedLength / high) return frequency;
  const smooth = (trainedLength / wave - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** YaRN (Peng et al. 2023): as llama3, but the blend is a ramp over the dims. */
function yarn({ theta, rotaryDim }: RopeConfig, plain: Float64Array, scaling: Scaling<'yarn'>): Float64Array {
  const { factor, trainedLength, truncate, betaFast, betaSlow } = scaling;
  const dimOf = (rotations: number) =>
    (rotaryDim * Math.log(trainedLength / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [lowDim, highDim] = [dimOf(betaFast), dimOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(lowDim) : lowDim, 0);
  let high = Math.min(truncate ? Math.ceil(highDim) : highDim, rotaryDim - 1);
  if (low === high) high += 0.001;
  return plain.map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
}
