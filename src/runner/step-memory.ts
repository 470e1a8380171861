import { partialFloats } from '../kernels/decode-attention';
import { PREFILL_PARTIALS } from '../kernels/prefill-attention';
import { type StateLayout, stateLayout } from '../kernels/step-state';
import type { ScratchRegions } from '../layers/forward-context';
import type { ModelConfig } from '../models/config';
import type { PackedTensor } from '../weights/packed-tensor';
import { MAX_SPLITS, planWordsOf } from './layer-buffers';
import { RopeTables } from './rope-tables';
import { planScratch } from './scratch';

/** Logits of many positions are computed in slices of this size at most. */
const MAX_LOGIT_BYTES = 64 * 2 ** 20;

export interface StepMemoryShape {
  readonly contextLength: number;
  readonly blockTokens: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  /** Columns of the widest linear that has them in an order of its own; default 0. */
  readonly permutedCols?: number;
  /** What keeping K bias out of the cache takes: words of step state, and floats of scratch a row. Default: nothing. */
  readonly keyBias?: { readonly tableWords: number; readonly rowFloats: number };
}

/** The two buffers that a runner allocates beside weights and KV pool. */
export interface StepMemory {
  readonly layout: StateLayout;
  readonly stateBytes: number;
  readonly regions: ScratchRegions;
  readonly maxLogitRows: number;
  readonly scratchBytes: number;
}

export function planStepMemory(config: ModelConfig, shape: StepMemoryShape): StepMemory {
  const { contextLength, blockTokens, maxSlots, maxChunkTokens } = shape;
  const layout = stateLayout({
    maxSlots,
    maxChunkTokens,
    maxBlocksPerSequence: Math.ceil(contextLength / blockTokens),
    contextLength,
    rotaryDim: config.ropes[0]?.rotaryDim ?? 0,
    numRopeTables: new RopeTables(config.ropes).numTables,
    keyBiasWords: shape.keyBias?.tableWords ?? 0,
    planWords: planWordsOf(config),
  });
  const { maxSampledRows } = layout;
  const maxLogitRows = Math.max(
    // What penalties make of the logits lies behind them.
    2 * maxSampledRows,
    Math.min(maxChunkTokens, Math.floor(MAX_LOGIT_BYTES / (config.vocabSize * 4))),
  );
  const { regions, totalFloats } = planScratch(config, {
    maxRows: maxSlots + maxChunkTokens,
    maxLogitRows,
    maxSampledRows,
    partialFloats: Math.max(
      partialFloats({ numRows: maxSlots, numSplits: MAX_SPLITS, ...config }),
      PREFILL_PARTIALS * (config.headDim + 4),
    ),
    permutedCols: shape.permutedCols ?? 0,
    keyBiasFloats: shape.keyBias?.rowFloats ?? 0,
  });
  const [stateBytes, scratchBytes] = [layout.totalWords * 4, totalFloats * 4];
  return { layout, stateBytes, regions, maxLogitRows, scratchBytes };
}

/** Columns of the widest linear that has them in an order of its own: orders are tensors too, as long as the columns are many. */
export function permutedCols(tensors: Iterable<Pick<PackedTensor, 'format' | 'cols'>>): number {
  return Math.max(0, ...Array.from(tensors, ({ format, cols }) => (format === 'u32' ? cols : 0)));
}
