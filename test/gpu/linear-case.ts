import type { Dispatch } from '../../src/gpu/dispatch';
import { MAX_TILE_ROWS } from '../../src/kernels/integer-cut';
import { integerFloats, integerGroupCols } from '../../src/kernels/integer-rows';
import type { LinearCall } from '../../src/kernels/linear-call';
import { stagedFloats } from '../../src/kernels/stage-rows';
import {
  type PackedTensor,
  type PlacedTensor,
  packedLinear,
  packedVector,
} from '../../src/weights/packed-tensor';
import { floatToHalf, halfToFloat } from '../reference/half';
import { linearTwin } from '../reference/linear';
import { randomPacked } from '../reference/packed';
import type { Random } from '../reference/random';
import { assertClose, type GpuTest } from './harness';

export interface LinearShape {
  readonly format: 'w4' | 'w8' | 'w16';
  readonly rows: number;
  readonly cols: number;
  readonly numRows: number;
  readonly groupSize?: number;
  readonly norm?: boolean;
  readonly bias?: boolean;
  readonly gate?: 'silu' | 'gelu_tanh';
  /** 'in place': the output region holds the residual. */
  readonly residual?: 'in place' | 'apart';
  readonly outScale?: number;
  readonly softcap?: number;
  /** Activations as the integer kernels have them. */
  readonly integer?: 'units' | 'groups';
  /** Zero points with a fraction, as checkpoints with float minima have. */
  readonly brokenZeros?: boolean;
  /** The output begins at a multiple of four floats, as that of a linear does which another one takes. */
  readonly isTaken?: boolean;
  /** Gaps between rows of the input and of the output. */
  readonly strided?: boolean;
}

export interface LinearCase {
  readonly call: LinearCall;
  readonly integer: boolean;
  /** Where kernels may put the input as they take it; behind everything else. */
  readonly halvesAt: number;
  /** Room for sums over MAX_PARTS parts of K, behind that. */
  readonly partsAt: number;
  readonly weights: Uint32Array;
  /** Input, residual and NaN everywhere else. */
  readonly scratch: Float32Array;
  /** The scratch buffer as it must be afterwards, row by row of the output. */
  readonly expected: { readonly start: number; readonly values: Float64Array }[];
}

const NAN_WORD = 0x7fc00000;
export const MAX_PARTS = 3;

function preparedFloats(numRows: number, cols: number): number {
  const planeRows = Math.ceil(numRows / MAX_TILE_ROWS) * MAX_TILE_ROWS;
  return Math.max(planeRows * integerFloats(cols), numRows * stagedFloats(cols));
}

/** Everything that the kernels for few rows fuse with a product. */
export function fusedWithFew(rows: number) {
  return [
    { rows, norm: true, bias: true },
    { rows, residual: 'in place' },
    { rows, residual: 'apart', bias: true },
    { rows, norm: true, outScale: 0.25, softcap: 3 },
    { rows: 2 * rows, norm: true, gate: 'silu' },
    { rows: 2 * rows, bias: true, gate: 'gelu_tanh' },
  ] as const satisfies readonly (Partial<LinearShape> & { readonly rows: number })[];
}

/** Everything that those on matrix units do. */
export function fusedOnMatrices(rows: number) {
  return [
    { rows, norm: true, bias: true },
    { rows, residual: 'in place' },
    { rows, norm: true, residual: 'apart', bias: true, outScale: 0.25, softcap: 3 },
    { rows: 2 * rows, norm: true, gate: 'silu' },
    { rows: 2 * rows, bias: true, gate: 'gelu_tanh' },
  ] as const satisfies readonly (Partial<LinearShape> & { readonly rows: number })[];
}

/** Everything random but the shape; whatever is no operand is NaN, in the slab too. */
export function linearCase(shape: LinearShape, random: Random): LinearCase {
  const { format, rows, cols, numRows, gate, residual } = shape;
  const slab = new Slab(random);
  const packed = packedLinear('linear', format, rows, cols, shape.groupSize ?? 128);
  const words = randomPacked(packed, random);
  if (shape.brokenZeros) breakZeros(packed, words, random);
  const gain = random.normals(cols).map((value) => 1 + value / 4);
  const bias = random.normals(rows);
  const weight = slab.place(packed, words);
  const norm = shape.norm ? { weight: slab.place(packedVector('norm', cols), gain), eps: 1e-5 } : undefined;
  const outputs = gate ? rows / 2 : rows;
  const inStride = cols + (shape.strided ? 8 : 0);
  const outStride = outputs + (shape.strided ? 4 + random.below(4) : 0);
  const inAt = 16;
  const outAt = inAt + numRows * inStride + 32 + (shape.isTaken ? 0 : random.below(4));
  const residualAt = residual === 'apart' ? outAt + numRows * outStride + 5 : outAt;
  const halvesAt = Math.ceil((residualAt + numRows * outStride + 16) / 4) * 4;
  const partsAt = Math.ceil((halvesAt + preparedFloats(numRows, cols)) / 4) * 4;
  const scratch = new Float32Array(partsAt + MAX_PARTS * numRows * (rows + 3) + 16).fill(Number.NaN);
  const x = random.normals(numRows * cols, shape.norm ? 3 : 1);
  const added = random.normals(numRows * outputs, 2);
  for (let m = 0; m < numRows; m++) {
    scratch.set(x.subarray(m * cols, (m + 1) * cols), inAt + m * inStride);
    if (residual) scratch.set(added.subarray(m * outputs, (m + 1) * outputs), residualAt + m * outStride);
  }
  const residualScale = residual ? 0.5 + random.uniform() : 1;
  const fused = {
    ...(gate ? { gate } : {}),
    ...(shape.outScale ? { outScale: shape.outScale } : {}),
    ...(shape.softcap ? { softcap: shape.softcap } : {}),
    residualScale,
  };
  const call: LinearCall = {
    ...fused,
    weight,
    numRows,
    inAt,
    outAt,
    ...(shape.strided ? { inStride, outStride } : {}),
    ...(norm ? { norm } : {}),
    ...(shape.bias ? { bias: slab.place(packedVector('bias', rows), bias) } : {}),
    ...(residual ? { residualAt } : {}),
  };
  const out = linearTwin({
    ...fused,
    weight,
    words,
    x,
    numRows,
    integerCols: shape.integer === 'groups' ? integerGroupCols(weight) : shape.integer === 'units' ? 32 : 0,
    ...(norm ? { norm: { gain, eps: norm.eps } } : {}),
    ...(shape.bias ? { bias } : {}),
    ...(residual ? { residual: added } : {}),
  });
  const expected = Array.from({ length: numRows }, (_, m) => ({
    start: outAt + m * outStride,
    values: out.subarray(m * outputs, (m + 1) * outputs),
  }));
  return {
    call,
    integer: shape.integer !== undefined,
    halvesAt,
    partsAt,
    weights: slab.words(),
    scratch,
    expected,
  };
}

/** Tensors one after another at multiples of 256 bytes, in random distance, with NaN between them. */
export class Slab {
  readonly #random: Random;
  readonly #words: number[];

  /** Behind `words`. */
  constructor(random: Random, words: Iterable<number> = []) {
    this.#random = random;
    this.#words = [...words];
  }

  place(tensor: PackedTensor, data: Uint32Array | Float32Array): PlacedTensor {
    const start = (Math.floor(this.#words.length / 64) + 1 + this.#random.below(2)) * 64;
    while (this.#words.length < start) this.#words.push(NAN_WORD);
    for (const word of new Uint32Array(data.buffer, data.byteOffset, data.length)) this.#words.push(word);
    return { ...tensor, slab: 0, byteOffset: start * 4 };
  }

  words(): Uint32Array {
    return Uint32Array.from([...this.#words, ...new Array<number>(64).fill(NAN_WORD)]);
  }
}

function breakZeros(tensor: PackedTensor, words: Uint32Array, random: Random): void {
  for (let i = tensor.codesBytes / 4; i < words.length; i++) {
    const word = words[i] ?? 0;
    const zero = floatToHalf(halfToFloat(word >>> 16) + random.uniform() - 0.5);
    words[i] = (word & 0xffff) | (zero << 16);
  }
}

/** Runs the case and compares every word of the scratch buffer: outputs with the twin, all others with what was there. */
export async function checkLinear(
  test: GpuTest,
  made: LinearCase,
  dispatches: readonly Dispatch[],
  // f32: rounding of sums over some hundred terms. f16: x and each product carry 2^-11, chains of four are rounded too.
  // Integers: where x lies between two of them the twin may take the other one, 2^-15 of the largest.
  rel = made.integer ? 5e-5 : test.f16 ? 5e-3 : 1e-5,
): Promise<void> {
  const { call, weights, scratch, expected } = made;
  const result = (await test.runStep({ weights, scratch }, dispatches)).scratch;
  const { weight, numRows } = call;
  const what = `${weight.format} ${weight.rows}x${weight.cols} g${weight.groupSize}, ${numRows} rows`;
  assertClose(
    expected.flatMap(({ start, values }) => [...result.subarray(start, start + values.length)]),
    expected.flatMap(({ values }) => [...values]),
    { rel },
    what,
  );
  const [after, before] = [new Uint32Array(result.buffer), new Uint32Array(scratch.buffer)];
  for (const { start, values } of expected) after.set(before.subarray(start, start + values.length), start);
  const end = made.partsAt + MAX_PARTS * numRows * (weight.rows + 3);
  const touched = before.findIndex(
    (word, index) => word !== after[index] && (index < made.halvesAt || index >= end),
  );
  if (touched >= 0) throw new Error(`${what}: word ${touched}, outside the outputs, was overwritten`);
}
