import { MAX_STAGED_ROWS } from '../kernels/gemv-rows';
import { MAX_TILE_ROWS } from '../kernels/integer-cut';
import { integerFloats } from '../kernels/integer-rows';
import { stagedFloats } from '../kernels/stage-rows';
import type { ScratchRegions } from '../layers/forward-context';
import type { ModelConfig } from '../models/config';
import { exchangeFloats } from './layer-buffers';

export interface ScratchShape {
  /** Most rows of a step: a chunk and decode rows. */
  readonly maxRows: number;
  /** Most rows that logits are computed for at once. */
  readonly maxLogitRows: number;
  /** Most rows that a step samples; at most half of `maxLogitRows`. */
  readonly maxSampledRows: number;
  /** Floats that split attention needs. */
  readonly partialFloats: number;
  /** Columns of the widest linear that has them in an order of its own; default 0. */
  readonly permutedCols?: number;
  /** Floats of a row's terms of K bias, a multiple of 4; default 0. */
  readonly keyBiasFloats?: number;
}

/** Where the activations lie in the one scratch buffer; regions start at multiples of 64 floats. */
export function planScratch(
  config: ModelConfig,
  shape: ScratchShape,
): { regions: ScratchRegions; totalFloats: number } {
  let totalFloats = 0;
  const region = (rows: number, stride: number) => {
    const at = totalFloats;
    totalFloats = Math.ceil((totalFloats + rows * stride) / 64) * 64;
    return { at, stride };
  };
  const { maxRows, maxLogitRows, partialFloats } = shape;
  const { numHeads, numKvHeads, headDim } = config;
  const widest = Math.max(config.hiddenSize, config.intermediateSize, numHeads * headDim);
  const rows = {
    hidden: region(maxRows, config.hiddenSize),
    qkv: region(maxRows, (numHeads + 2 * numKvHeads) * headDim),
    attended: region(maxRows, numHeads * headDim),
    branch: region(maxRows, config.hiddenSize),
    inner: region(maxRows, config.intermediateSize),
    permuted: region(maxRows, Math.ceil((shape.permutedCols ?? 0) / 4) * 4),
    logits: region(maxLogitRows, Math.ceil(config.vocabSize / 4) * 4),
    partials: region(1, partialFloats),
    prepared: region(Math.ceil(maxRows / MAX_TILE_ROWS) * MAX_TILE_ROWS, integerFloats(widest)),
    staged: region(Math.min(maxRows, MAX_STAGED_ROWS), stagedFloats(widest)),
    keyBias: region(maxRows, shape.keyBiasFloats ?? 0),
    exchange: region(1, exchangeFloats(config)),
  };
  const { at, stride } = rows.logits;
  const regions = { ...rows, adjusted: { at: at + shape.maxSampledRows * stride, stride } };
  return { regions, totalFloats };
}
