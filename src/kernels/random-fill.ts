import source from '../../shaders/random_fill.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { type Dispatch, MAX_WORKGROUPS, workgroupGrid } from '../gpu/dispatch';
import type { BindingKind, PipelineHandle, ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { FORMAT_BITS, type PackedFormat, type PlacedTensor } from '../weights/packed-tensor';

const PARAMS = {
  first_four: 'u32',
  num_fours: 'u32',
  num_code_fours: 'u32',
  num_scales: 'u32',
  row_words: 'u32',
  cols: 'u32',
  image_word: 'u32',
  seed: 'u32',
  base_half: 'u32',
} as const;

/** 0 the slab that receives the tensor. */
export const RANDOM_FILL_BINDINGS: readonly BindingKind[] = ['write'];

const PROGRAM: ShaderProgram = {
  name: 'random_fill',
  source,
  params: PARAMS,
  bindings: RANDOM_FILL_BINDINGS,
};

const WORKGROUP_SIZE = 64;
const MIN_NORMAL_HALF = 0x400;

export interface RandomFillCall {
  /** w4, w8 or w16. */
  readonly tensor: PlacedTensor;
  /** Where the tensor lies in the image of all weights, in bytes; a multiple of 16. */
  readonly imageOffset: number;
  /** u32 */
  readonly seed: number;
}

/** The program for one format; ask early, so that it compiles while memory is allocated. */
export function randomFillPipeline(gpu: Gpu, format: PackedFormat): PipelineHandle {
  const bits = FORMAT_BITS[format];
  if (bits > 16) throw new TabmindError('internal', `${format} is no format of a matrix`);
  const middle = 2 ** (bits - 1);
  return gpu.pipelines.request(PROGRAM, {
    BITS: bits,
    GRID_WIDTH: MAX_WORKGROUPS,
    MIDDLE_HALF: wholeHalf(middle),
    BELOW_MIDDLE_HALF: wholeHalf(middle - 1),
  });
}

/** Fills a packed linear with random weights of mean 0 and standard deviation about 1 / sqrt(cols). */
export function randomFill(gpu: Gpu, { tensor, imageOffset, seed }: RandomFillCall): Dispatch {
  const numFours = tensor.totalBytes / 16;
  const params = packParams(PARAMS, {
    first_four: tensor.byteOffset / 16,
    num_fours: numFours,
    num_code_fours: tensor.codesBytes / 16,
    num_scales: tensor.scalesBytes / 4,
    row_words: (tensor.paddedCols * FORMAT_BITS[tensor.format]) / 32,
    cols: tensor.cols,
    image_word: imageOffset / 4,
    seed: seed >>> 0,
    base_half: randomBaseHalf(tensor),
  });
  return { pipeline: randomFillPipeline(gpu, tensor.format), params, workgroups: grid(numFours) };
}

/** Fills the first `sizeBytes` (a multiple of 16) of a buffer with words of which every bit is random. */
export function randomWords(gpu: Gpu, sizeBytes: number, seed: number): Dispatch {
  const numFours = sizeBytes / 16;
  const params = packParams(PARAMS, {
    first_four: 0,
    num_fours: numFours,
    num_code_fours: numFours,
    num_scales: 0,
    row_words: 4,
    cols: 16,
    image_word: 0,
    seed: seed >>> 0,
    base_half: 0,
  });
  return { pipeline: randomFillPipeline(gpu, 'w8'), params, workgroups: grid(numFours) };
}

function grid(numFours: number): Dispatch['workgroups'] {
  return workgroupGrid(Math.ceil(numFours / WORKGROUP_SIZE));
}

/**
 * Bits of the half that sets the size of the weights. Uniform codes of n bits deviate by sqrt((4^n − 1) / 12) steps, so
 * that is what the step s is made from. Halves ± 2^e · [1, 2) deviate by sqrt(7 / 3) · 2^e; there e is rounded.
 */
export function randomBaseHalf({ format, cols }: Pick<PlacedTensor, 'format' | 'cols'>): number {
  const deviation = 1 / Math.sqrt(cols);
  if (format === 'w16') {
    const exponent = Math.round(Math.log2(deviation / Math.sqrt(7 / 3)));
    return Math.max(1, exponent + 15) << 10;
  }
  const step = deviation / Math.sqrt((4 ** FORMAT_BITS[format] - 1) / 12);
  const exponent = Math.floor(Math.log2(step));
  const half = ((exponent + 15) << 10) + Math.floor((step / 2 ** exponent - 1) * 1024);
  return Math.max(MIN_NORMAL_HALF, half);
}

/** Half bits of a whole number from 1 to 2048. */
function wholeHalf(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) + (value / 2 ** exponent - 1) * 1024;
}
