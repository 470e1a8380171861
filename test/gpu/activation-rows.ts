import type { LinearCall } from '../../src/kernels/linear-call';
import { type PackedTensor, packedVector } from '../../src/weights/packed-tensor';
import type { Random } from '../reference/random';
import { nans } from './harness';

const EPS = 1e-5;
const NORM_AT = 64;

/** Rows of activations to be brought into another form, NaN around them, of any size between 10^-2 and 10^5. */
export interface ActivationRows {
  /** Its input; it has no output. */
  readonly call: LinearCall;
  readonly weights: Uint32Array;
  readonly scratch: Float32Array;
  readonly rows: readonly Float32Array[];
  readonly norm: { readonly gain: Float32Array; readonly eps: number } | null;
  /** Where the other form may lie: floats [outAt, end). */
  readonly outAt: number;
  readonly end: number;
}

/** For a linear over `packed`; a row in the other form takes `rowFloats`, and there is room for `spareRows` more. */
export function activationRows(
  random: Random,
  packed: PackedTensor,
  normed: boolean,
  rowFloats: number,
  spareRows = 0,
): ActivationRows {
  const { cols } = packed;
  const numRows = random.between(1, 9);
  const inStride = cols + 4 * random.below(3);
  const inAt = 8;
  const outAt = inAt + numRows * inStride + 4;
  const end = outAt + (numRows + spareRows) * rowFloats;
  const scratch = nans(end + 8);
  const gain = random.normals(cols);
  const weights = new Uint32Array(NORM_AT + cols).fill(0x7fc00000);
  weights.set(new Uint32Array(gain.buffer), NORM_AT);
  const rows = Array.from({ length: numRows }, () => random.normals(cols, 10 ** random.between(-2, 5)));
  for (const [m, x] of rows.entries()) scratch.set(x, inAt + m * inStride);
  const weight = { ...packed, slab: 0, byteOffset: 0 };
  const normWeight = { ...packedVector('norm', cols), slab: 0, byteOffset: 4 * NORM_AT };
  const norm = normed ? { norm: { weight: normWeight, eps: EPS } } : {};
  const call = { weight, numRows, inAt, inStride, outAt: 0, ...norm };
  return { call, weights, scratch, rows, norm: normed ? { gain, eps: EPS } : null, outAt, end };
}

/** Throws where something right before or behind the other form was written. */
export function checkAround({ outAt, end }: ActivationRows, after: Float32Array): void {
  for (const at of [...after.keys()].filter((at) => at >= end || at === outAt - 1))
    if (!Number.isNaN(after[at])) throw new Error(`scratch[${at}] was overwritten`);
}
