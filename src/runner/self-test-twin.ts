import { type KvLayout, type KvSide, kvCodesAt, kvParamsAt } from '../kernels/kv-layout';
import { halfValue } from '../weights/float-values';
import type { PackedTensor } from '../weights/packed-tensor';

/** The arithmetic of the kernels once more, in plain loops on the CPU: what the self-test compares the GPU with. */

const BITS: Readonly<Record<string, number>> = { w4: 4, w8: 8, w16: 16, f32: 32 };

/** One row of a packed linear: its words of codes, and its words of scales (none for w16). */
export interface PackedRow {
  readonly codes: Uint32Array;
  readonly scales: Uint32Array;
}

/** [cols] */
export function unpackRow(tensor: PackedTensor, row: PackedRow): Float64Array {
  const bits = BITS[tensor.format] ?? 32;
  return Float64Array.from({ length: tensor.cols }, (_, col) => {
    const bit = col * bits;
    const code = (at(row.codes, Math.floor(bit / 32)) >>> (bit % 32)) & (2 ** bits - 1);
    if (bits === 16) return halfValue(code);
    const pair = at(row.scales, Math.floor(col / tensor.groupSize));
    return halfValue(pair & 0xffff) * (code - halfValue(pair >>> 16));
  });
}

/** x · g / sqrt(mean(x²) + eps) */
export function normalise(x: Float64Array, gain: ArrayLike<number>, eps: number): Float64Array {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const scale = 1 / Math.sqrt(mean + eps);
  return x.map((value, i) => value * at(gain, i) * scale);
}

/** w · x, and the root of the summed squares of its terms: rounding errors are a small part of that. */
export function dot(w: Float64Array, x: Float64Array): { readonly value: number; readonly spread: number } {
  let [value, squares] = [0, 0];
  for (const [i, factor] of w.entries()) {
    const term = factor * at(x, i);
    value += term;
    squares += term * term;
  }
  return { value, spread: Math.sqrt(squares) };
}

/** Rotary embedding of pairs (i, i + n / 2) or (2i, 2i + 1); `angles` are the n / 2 (cos, sin) pairs of one position. */
export function rotate(x: ArrayLike<number>, angles: ArrayLike<number>, interleaved = false): Float64Array {
  const out = Float64Array.from(x);
  const half = angles.length / 2;
  for (let i = 0; i < half; i++) {
    const [first, second] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
    const [a, b] = [at(x, first), at(x, second)];
    const [cosine, sine] = [at(angles, 2 * i), at(angles, 2 * i + 1)];
    out[first] = a * cosine - b * sine;
    out[second] = b * cosine + a * sine;
  }
  return out;
}

/** What the cache holds of one token of one head, [headDim]. `words` is one layer. */
export function cachedToken(
  layout: KvLayout,
  words: Uint32Array,
  blockTable: readonly number[],
  side: KvSide,
  head: number,
  position: number,
): Float64Array {
  const { kvBits, blockTokens, blockWords, headDim } = layout;
  const blockAt = (blockTable[Math.floor(position / blockTokens)] ?? 0) * blockWords;
  const token = position % blockTokens;
  const codesAt = blockAt + kvCodesAt(layout, side, head, token);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const pair = kvBits < 16 ? at(words, blockAt + kvParamsAt(layout, side, head, token)) : 0;
  return Float64Array.from({ length: headDim }, (_, d) => {
    if (kvBits === 32) return at(floats, codesAt + d);
    const bit = d * kvBits;
    const code = (at(words, codesAt + Math.floor(bit / 32)) >>> (bit % 32)) & (2 ** kvBits - 1);
    return kvBits === 16 ? halfValue(code) : code * halfValue(pair & 0xffff) + halfValue(pair >>> 16);
  });
}

/** softmax(q · kᵀ) v over the given tokens, [headDim]; scores are soft-capped where the cap is above 0. */
export function attend(
  q: Float64Array,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  softcap: number,
): Float64Array {
  const scores = keys.map((key) => {
    const { value } = dot(key, q);
    return softcap > 0 ? softcap * Math.tanh(value / softcap) : value;
  });
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const out = new Float64Array(q.length);
  for (const [t, value] of values.entries())
    for (const [d, element] of value.entries()) out[d] = (out[d] ?? 0) + (at(weights, t) / total) * element;
  return out;
}

/** Numbers between −1 and 1 that look random and are always the same. */
export function fixedNoise(count: number): Float32Array<ArrayBuffer> {
  let state = 0x9e3779b9;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** NaN beyond the end: it fails every comparison. */
function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? Number.NaN;
}
