import { type KvLayout, type KvSide, kvCodesAt, kvParamsAt } from '../../src/kernels/kv-layout';
import { floatToHalf, halfToFloat } from './half';

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** CPU twin of the paged cache: one layer's words, written and read element by element. */
export class PagedKv {
  readonly layout: KvLayout;
  readonly words: Uint32Array;
  readonly layerAt: number;

  constructor(layout: KvLayout, words: Uint32Array, layerAt: number) {
    this.layout = layout;
    this.words = words;
    this.layerAt = layerAt;
  }

  #rowAt(table: readonly number[], side: KvSide, head: number, position: number): number {
    const { blockTokens, blockWords } = this.layout;
    const block = table[Math.floor(position / blockTokens)];
    if (block === undefined) throw new Error(`no block for position ${position}`);
    return this.layerAt + block * blockWords + kvCodesAt(this.layout, side, head, position % blockTokens);
  }

  #paramsAt(table: readonly number[], side: KvSide, head: number, position: number): number {
    const { blockTokens, blockWords } = this.layout;
    const block = table[Math.floor(position / blockTokens)] ?? 0;
    return this.layerAt + block * blockWords + kvParamsAt(this.layout, side, head, position % blockTokens);
  }

  #setCode(rowAt: number, d: number, code: number): void {
    const bit = d * this.layout.kvBits;
    const at = rowAt + Math.floor(bit / 32);
    const mask = this.layout.kvBits === 32 ? 0xffffffff : 2 ** this.layout.kvBits - 1;
    const shift = bit % 32;
    this.words[at] = (((this.words[at] ?? 0) & ~(mask << shift)) | (code << shift)) >>> 0;
  }

  /** Element d's code, half or float bits. */
  code(table: readonly number[], side: KvSide, head: number, position: number, d: number): number {
    const bit = d * this.layout.kvBits;
    const word = this.words[this.#rowAt(table, side, head, position) + Math.floor(bit / 32)] ?? 0;
    return this.layout.kvBits === 32 ? word : (word >>> (bit % 32)) & (2 ** this.layout.kvBits - 1);
  }

  /** [scale, offset] as half bits. */
  params(table: readonly number[], side: KvSide, head: number, position: number): readonly [number, number] {
    const word = this.words[this.#paramsAt(table, side, head, position)] ?? 0;
    return [word & 0xffff, word >>> 16];
  }

  /** Quantises one token of one head and stores it. */
  append(
    table: readonly number[],
    side: KvSide,
    head: number,
    position: number,
    values: ArrayLike<number>,
  ): void {
    const { kvBits } = this.layout;
    const rowAt = this.#rowAt(table, side, head, position);
    const list = Array.from(values);
    if (kvBits >= 16) {
      for (const [d, value] of list.entries()) {
        f32[0] = value;
        this.#setCode(rowAt, d, kvBits === 16 ? floatToHalf(clamp(value, -65504, 65504)) : (u32[0] ?? 0));
      }
      return;
    }
    const levels = 2 ** kvBits - 1;
    const low = Math.min(...list);
    const scaleBits = floatToHalf(Math.min(Math.fround(Math.max(...list) - low) / levels, 65504));
    const offsetBits = floatToHalf(clamp(low, -65504, 65504));
    this.words[this.#paramsAt(table, side, head, position)] = (scaleBits | (offsetBits << 16)) >>> 0;
    const [scale, offset] = [halfToFloat(scaleBits), halfToFloat(offsetBits)];
    for (const [d, value] of list.entries())
      this.#setCode(rowAt, d, scale > 0 ? clamp(roundHalfEven((value - offset) / scale), 0, levels) : 0);
  }

  /** Element d as attention sees it. */
  value(table: readonly number[], side: KvSide, head: number, position: number, d: number): number {
    const code = this.code(table, side, head, position, d);
    if (this.layout.kvBits === 16) return halfToFloat(code);
    if (this.layout.kvBits === 32) {
      u32[0] = code;
      return f32[0] ?? Number.NaN;
    }
    const [scale, offset] = this.params(table, side, head, position);
    return code * halfToFloat(scale) + halfToFloat(offset);
  }
}
