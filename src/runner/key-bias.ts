import { readPieces } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type KeyBiasCall, keyBiasFloats, keyBiasWords } from '../kernels/key-bias';
import type { StateLayout } from '../kernels/step-state';
import type { Region } from '../layers/forward-context';
import type { ModelConfig } from '../models/config';
import { fixedLength } from '../models/rope';
import type { PlacedTensors } from '../weights/packed-tensor';

/**
 * A pair of dims is large above this many times the median size of the model's pairs. A trained bias has a bulk, which is
 * small beside the keys, and in some heads a few pairs ten to some hundred times that size: those stretch the range that a
 * token's codes must span, and leave a half no digits for the key beside them. Sizes of Gaussian pairs are Rayleigh
 * distributed: 8 medians are 9.4 deviations, so a bias without outliers costs nothing. What stays in K stretches the range
 * of keys whose deviation is 3 (5) medians by at most 11 % (3 %); 16 medians would cost 49 % (12 %).
 */
const LARGE = 8;
/** Fewest pairs of a layer that has any: the kernels take two pairs a vector, in two parts. */
const MIN_PAIRS = 4;

/** What one layer keeps out of its cache. */
export interface LayerKeyBias {
  /** [numKvHeads][headDim]; 0 where the bias stays in K. */
  readonly values: Float32Array;
  /** [numKvHeads] rotary pairs with a term in the score, at most numPairs each. */
  readonly pairs: readonly (readonly number[])[];
  /** 0, 4, 8, 16 …: powers of two, so that there are few pipelines whatever the layers need. */
  readonly numPairs: number;
}

export interface KeyBiasSource {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  /** By our names. */
  readonly tensors: PlacedTensors;
  readonly slabs: readonly GPUBuffer[];
  readonly contextLength: number;
}

type Shape = Pick<
  ModelConfig,
  'numHeads' | 'numKvHeads' | 'headDim' | 'ropes' | 'layerRopes' | 'interleavedRope' | 'attentionSoftcap'
>;

/** Reads the K biases of a loaded model and chooses what each layer keeps out of its cache; null: nothing. */
export async function readKeyBias(source: KeyBiasSource): Promise<readonly (LayerKeyBias | null)[]> {
  const { gpu, config, tensors, slabs, contextLength } = source;
  const { numHeads, numKvHeads, headDim, numLayers } = config;
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  const biased = layers.filter((layer) => isBiased(tensors, layer));
  if (biased.length === 0) return layers.map(() => null);
  const pieces = biased.flatMap((layer) => {
    const tensor = tensors.get(`layers.${layer}.qkv_bias`);
    const buffer = tensor && slabs[tensor.slab];
    if (!buffer) return [];
    const offset = tensor.byteOffset + numHeads * headDim * 4;
    return [{ buffer, offset, sizeBytes: numKvHeads * headDim * 4 }];
  });
  const words = await readPieces(gpu.device, pieces);
  const biases = layers.map((layer) => {
    const bias = words[biased.indexOf(layer)];
    return bias ? new Float32Array(bias.buffer, bias.byteOffset, bias.length) : null;
  });
  return chooseKeyBias(config, biases, contextLength);
}

/** Whether a layer has a K bias that can be told from K; a norm behind it mixes it with the rest. */
function isBiased(tensors: { has(name: string): boolean }, layer: number): boolean {
  return tensors.has(`layers.${layer}.qkv_bias`) && !tensors.has(`layers.${layer}.k_norm`);
}

/**
 * The most that keeping K bias out of the cache can take, from the names of the tensors alone: every pair of every layer
 * that has a bias.
 */
export function largestKeyBias(
  config: Shape & Pick<ModelConfig, 'numLayers'>,
  tensors: { has(name: string): boolean },
  contextLength: number,
): { readonly tableWords: number; readonly rowFloats: number } {
  const biased = Array.from({ length: config.numLayers }, (_, layer) => layer).filter((layer) =>
    isBiased(tensors, layer),
  );
  const counts = biased.map((layer) =>
    hasOneTable(config, layer, contextLength) ? roundedPairs(rotaryDimOf(config, layer) / 2) : 0,
  );
  return {
    tableWords: counts.reduce((words, numPairs) => words + keyBiasWords(config, numPairs), 0),
    rowFloats: keyBiasFloats(config.numHeads, Math.max(0, ...counts)),
  };
}

/** The choice itself, from every layer's K bias [numKvHeads][headDim] or null. */
export function chooseKeyBias(
  config: Shape,
  biases: readonly (Float32Array | null)[],
  contextLength: number,
): readonly (LayerKeyBias | null)[] {
  const rotaryDims = biases.map((_, layer) => rotaryDimOf(config, layer));
  const sizes = biases.flatMap((bias, layer) =>
    bias ? pairSizes(config, bias, rotaryDims[layer] ?? 0).flat() : [],
  );
  const limit = LARGE * median(sizes);
  return biases.map((bias, layer) => {
    if (bias === null) return null;
    const rotaryDim = rotaryDims[layer] ?? 0;
    const large = (size: number) => size > limit && hasOneTable(config, layer, contextLength);
    const pairs = pairSizes(config, bias, rotaryDim).map((head) =>
      head.flatMap((size, pair) => (large(size) ? [pair] : [])),
    );
    return layerKeyBias(config, bias, rotaryDim, pairs);
  });
}

function layerKeyBias(
  config: Shape,
  bias: Float32Array,
  rotaryDim: number,
  pairs: readonly (readonly number[])[],
): LayerKeyBias | null {
  const { headDim, attentionSoftcap } = config;
  const values = new Float32Array(bias.length);
  for (const [head, list] of pairs.entries()) {
    const at = head * headDim;
    const dims = list.flatMap((pair) => pairDims(config, rotaryDim, pair));
    // what is added to all scores of a query alike changes nothing, unless they are bent afterwards
    if (attentionSoftcap === 0) for (let d = rotaryDim; d < headDim; d++) dims.push(d);
    for (const d of dims) values[at + d] = bias[at + d] ?? 0;
  }
  if (values.every((value) => value === 0)) return null;
  const most = pairs.reduce((count, list) => Math.max(count, list.length), 0);
  return { values, pairs, numPairs: roundedPairs(most) };
}

function roundedPairs(most: number): number {
  return most === 0 ? 0 : Math.max(MIN_PAIRS, 2 ** Math.ceil(Math.log2(most)));
}

/** The tables of all layers one behind the other, as src/kernels/key-bias.ts lays them out. */
export class KeyBiasTables {
  readonly words: Uint32Array<ArrayBuffer>;
  /** Floats of a row's terms, for the layer that has most pairs. */
  readonly rowFloats: number;
  readonly #layers: readonly (LayerKeyBias | null)[];
  readonly #starts: readonly number[];

  constructor(config: Shape, layers: readonly (LayerKeyBias | null)[]) {
    let numWords = 0;
    this.#layers = layers;
    this.#starts = layers.map((layer) => {
      const start = numWords;
      if (layer) numWords += keyBiasWords(config, layer.numPairs);
      return start;
    });
    this.words = new Uint32Array(numWords);
    for (const [i, layer] of layers.entries())
      if (layer) writeTable(this.words, this.#starts[i] ?? 0, config, layer);
    const most = layers.reduce((pairs, layer) => Math.max(pairs, layer?.numPairs ?? 0), 0);
    this.rowFloats = keyBiasFloats(config.numHeads, most);
  }

  /** What the kernels need of a layer, with its terms in that region of scratch; null: nothing is kept out. */
  call(layer: number, { keyBiasAt }: StateLayout, terms: Region): KeyBiasCall | null {
    const bias = this.#layers[layer] ?? null;
    if (bias === null) return null;
    return {
      tableAt: keyBiasAt + (this.#starts[layer] ?? 0),
      numPairs: bias.numPairs,
      termsAt: terms.at,
      termsStride: terms.stride,
    };
  }
}

function writeTable(
  words: Uint32Array<ArrayBuffer>,
  start: number,
  config: Shape,
  layer: LayerKeyBias,
): void {
  const { headDim } = config;
  const rotaryDim = config.ropes[0]?.rotaryDim ?? 0;
  const floats = new Float32Array(words.buffer);
  for (const [head, list] of layer.pairs.entries()) {
    const at = start + head * (headDim + 3 * layer.numPairs);
    const values = layer.values.subarray(head * headDim, (head + 1) * headDim);
    floats.set(values, at);
    words.set(list, at + headDim);
    const both = list.flatMap((pair) => pairDims(config, rotaryDim, pair).map((d) => values[d] ?? 0));
    floats.set(both, at + headDim + layer.numPairs);
  }
}

/** sqrt(b_i² + b_j²) of every rotary pair of every head. */
function pairSizes(config: Shape, bias: Float32Array, rotaryDim: number): number[][] {
  const { numKvHeads, headDim } = config;
  return Array.from({ length: numKvHeads }, (_, head) =>
    Array.from({ length: rotaryDim / 2 }, (_, pair) => {
      const [i, j] = pairDims(config, rotaryDim, pair);
      return Math.hypot(bias[head * headDim + i] ?? 0, bias[head * headDim + j] ?? 0);
    }),
  );
}

function pairDims({ interleavedRope }: Shape, rotaryDim: number, pair: number): readonly [number, number] {
  return interleavedRope ? [2 * pair, 2 * pair + 1] : [pair, pair + rotaryDim / 2];
}

function rotaryDimOf({ ropes, layerRopes }: Shape, layer: number): number {
  const rope = layerRopes[layer] ?? null;
  return rope === null ? 0 : (ropes[rope]?.rotaryDim ?? 0);
}

/**
 * Whether every key is rotated by the same table. Ropes that depend on the length have a second one for long prompts, whose
 * rows last for a chunk; nothing tells later which of the two a key was rotated by, so there the bias stays in K.
 */
function hasOneTable({ ropes, layerRopes }: Shape, layer: number, contextLength: number): boolean {
  const rope = ropes[layerRopes[layer] ?? -1];
  return rope !== undefined && contextLength <= fixedLength(rope);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
