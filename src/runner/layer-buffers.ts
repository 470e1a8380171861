import { partialFloats } from '../kernels/decode-attention';
import { PHASE_WORDS } from '../kernels/step-state';
import type { ModelConfig } from '../models/config';

/** A step with more parts than this gains nothing: the merge grows while each part gets too short. */
export const MAX_SPLITS = 32;

/** Words of a plan: q‖k‖v, attention, output, gate‖up and down of every layer. */
export function planWordsOf(config: Pick<ModelConfig, 'numLayers'>): number {
  return config.numLayers * PHASES_A_LAYER * PHASE_WORDS;
}

/** Floats of scratch through which workgroups exchange activations. */
export function exchangeFloats(config: ModelConfig): number {
  return bufferFloats(config).reduce((total, floats) => total + floats, 0);
}

const PHASES_A_LAYER = 5;

/** What is handed on. */
export type BufferName = 'qkv' | 'attended' | 'inner' | 'hidden' | 'partials';
export const BUFFERS: readonly BufferName[] = ['qkv', 'attended', 'inner', 'hidden', 'partials'];

/** Floats of each of BUFFERS, rounded up to whole lines. */
export function bufferFloats(config: ModelConfig): readonly number[] {
  const { numHeads, numKvHeads, headDim, hiddenSize, intermediateSize } = config;
  const vectors = [
    (numHeads + 2 * numKvHeads) * headDim,
    numHeads * headDim,
    intermediateSize,
    hiddenSize,
    partialFloats({ numRows: 1, numHeads, headDim, numSplits: MAX_SPLITS }),
  ];
  return vectors.map((floats) => Math.ceil(floats / 64) * 64);
}
