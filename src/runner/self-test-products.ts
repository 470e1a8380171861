import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import { gemm, gemmTile } from '../kernels/gemm';
import { gemmInteger, type IntegerScratch } from '../kernels/gemm-integer';
import { gemmMatrix, matrixTile } from '../kernels/gemm-matrix';
import { gemvRows } from '../kernels/gemv-rows';
import { halvesFloats } from '../kernels/halve';
import { type IntegerCut, integerCut, MAX_TILE_ROWS } from '../kernels/integer-cut';
import { integerFloats } from '../kernels/integer-rows';
import type { LinearCall } from '../kernels/linear-call';
import { partStride } from '../kernels/part-sums';
import { stagedFloats } from '../kernels/stage-rows';
import { type ProductKernel, productKernel } from '../layers/linear';
import type { Comparison, SelfTestMemory, SelfTestPlaces } from './self-test-memory';
import type { dot } from './self-test-twin';

/** Rows of the chunk that is multiplied. */
export const CHUNK_ROWS = 8;
/**
 * Part of the spread of a sum that rounding may cost: f32 sums of some thousand terms; f16 factors of 2^-11, to which
 * gemm_matrix rounds x and W as well; it is there with f16 arithmetic only.
 */
const TOLERANCE = { f32: 1e-3, f16: 2e-2 } as const;

/** Takes several rows; a decode row goes through gemv. */
type ChunkKernel = Exclude<ProductKernel, 'gemv'>;

const NAMES: Readonly<Record<ChunkKernel, string>> = {
  gemm: 'a matrix product (prefill)',
  gemm_matrix: 'a matrix product (prefill)',
  gemv_rows: 'a matrix product of several rows',
  gemm_integer: 'a matrix product of several rows',
};

/** What one kernel makes of the chunk, f32 [CHUNK_ROWS][rows of the weight] at `outAt`. */
export interface Product {
  readonly what: string;
  readonly outAt: number;
  readonly dispatches: readonly Dispatch[];
}

/** The chunk by each kernel that steps of this model on this GPU multiply several rows with. */
export function recordProducts(
  request: SelfTestPlaces,
  memory: SelfTestMemory,
  chunk: LinearCall,
): readonly Product[] {
  return Array.from(kernelsOf(request, chunk), ([kernel, stepRows]) => {
    const outAt = memory.region(CHUNK_ROWS * chunk.weight.rows);
    const dispatches = productAs(request.gpu, memory, { ...chunk, outAt }, kernel, stepRows);
    return { what: NAMES[kernel], outAt, dispatches };
  });
}

/**
 * Each with the number of rows of a step that it is used for. A full chunk comes first: its programs are compiled anyway. Those
 * of the kernels for few rows a load waits for only because they are tested here: the first prompt may not need them.
 */
function kernelsOf(
  { gpu, maxChunkTokens, maxSlots }: SelfTestPlaces,
  chunk: LinearCall,
): ReadonlyMap<ChunkKernel, number> {
  const kernels = new Map<ChunkKernel, number>();
  for (const numRows of [maxChunkTokens, maxChunkTokens + maxSlots, CHUNK_ROWS]) {
    const kernel = productKernel(gpu, { ...chunk, numRows });
    if (kernel !== 'gemv' && !kernels.has(kernel)) kernels.set(kernel, numRows);
  }
  return kernels;
}

/** The call with the programs of a step of `stepRows` rows, so that none is compiled for the self-test alone. */
export function productAs(
  gpu: Gpu,
  memory: SelfTestMemory,
  call: LinearCall,
  kernel: ChunkKernel,
  stepRows: number,
): readonly Dispatch[] {
  const { numRows, weight } = call;
  const room = (rowFloats: number) => memory.region(numRows * rowFloats);
  const step = { ...call, numRows: stepRows };
  switch (kernel) {
    case 'gemv_rows':
      return gemvRows(gpu, call, room(stagedFloats(weight.cols)));
    case 'gemm':
      return gemm(gpu, call, gemmTile(gpu, step));
    case 'gemm_matrix':
      return gemmMatrix(gpu, call, room(halvesFloats(weight.cols)), matrixTile(step));
    case 'gemm_integer':
      return gemmInteger(gpu, call, ...integerRoom(memory, call, stepRows));
  }
}

/** Room for a product on matrices of bytes, and the cut that a step of `stepRows` rows has. */
export function integerRoom(
  memory: SelfTestMemory,
  call: LinearCall,
  stepRows: number,
): [IntegerScratch, IntegerCut] {
  const { partFloats } = memory;
  const { numRows, weight } = call;
  const cut = integerCut({ ...call, numRows: stepRows }, partFloats);
  const rowsAt = memory.region(Math.max(numRows, MAX_TILE_ROWS) * integerFloats(weight.cols));
  const partsAt = cut.parts > 1 ? memory.region(numRows * cut.parts * partStride(call)) : 0;
  return [{ rowsAt, partsAt, partFloats }, cut];
}

/** What a kernel has to make of w · x: before + scale · (w · x + bias). */
export interface Finish {
  readonly bias: number;
  readonly before?: number;
  readonly scale?: number;
}

/** What it has made of it, which may be off by a part of the spread of the sum's terms. */
export function compareProduct(
  { math }: Gpu,
  actual: number,
  { value, spread }: ReturnType<typeof dot>,
  { bias, before = 0, scale = 1 }: Finish,
): Comparison {
  const allowance = TOLERANCE[math] * (spread + Math.abs(bias)) + 1e-9;
  return {
    actual,
    expected: before + scale * (value + bias),
    limit: scale * allowance + 1e-6 * Math.abs(before),
  };
}
