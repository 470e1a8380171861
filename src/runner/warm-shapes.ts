import { type Gpu, hasMatrixUnits } from '../gpu/device';
import { MAX_VERIFIED_ROWS } from '../kernels/step-state';
import { type StepShapes, UNSPLIT_TOKENS } from './step-forward';

/** Lengths of chunks for which the kernels differ. */
const CHUNKS = [
  2, 8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 256, 272, 320, 336, 400, 528, 592, 800, 1088,
];
/** Numbers of decode rows for which they differ. */
const ROWS = [2, 3, 4, 8, 16, 32, 64];
/** Without matrix units, W4 has a program for each of these as well. */
const FEW_ROWS = [5, 6, 7];

export interface WarmLimits {
  readonly contextLength: number;
  readonly maxChunkTokens: number;
  readonly maxSlots: number;
}

/**
 * Shapes of steps whose kernels are compiled ahead: those of the first prompt and the first tokens, which a load waits for, and
 * those that other lengths, longer contexts and more rows need. A software adapter has one shape for all, and no processor to
 * spare.
 */
export function warmShapes(
  gpu: Pick<Gpu, 'isSoftware' | 'matrices' | 'byteMatrices'>,
  { contextLength, maxChunkTokens, maxSlots }: WarmLimits,
): { readonly first: StepShapes; readonly others: readonly StepShapes[] } {
  const ends = gpu.isSoftware ? [0] : [0, contextLength - 1];
  const first: StepShapes = {
    chunks: [
      [1, 0],
      [maxChunkTokens, 0],
    ],
    positions: ends,
    rowCounts: [1],
  };
  if (gpu.isSoftware) return { first, others: [] };
  const few = hasMatrixUnits(gpu) ? [] : FEW_ROWS;
  const lengths = [...few, ...CHUNKS].filter((rows) => rows < maxChunkTokens);
  return {
    first,
    others: [
      {
        chunks: [...lengths.map((rows) => [rows, 0] as const), [1, contextLength - 1]],
        positions: [UNSPLIT_TOKENS].filter((position) => position < contextLength),
        rowCounts: [1],
      },
      { positions: ends, rowCounts: [1], asks: { adjusts: true, reports: false } },
      { drafts: [2, Math.min(MAX_VERIFIED_ROWS, maxChunkTokens)] },
      { positions: ends, rowCounts: [...few, ...ROWS].filter((rows) => rows <= maxSlots) },
    ],
  };
}
