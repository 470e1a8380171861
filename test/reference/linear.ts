import type { PackedTensor } from '../../src/weights/packed-tensor';
import { packedElement } from './packed';

export interface LinearInput {
  readonly weight: PackedTensor;
  readonly words: Uint32Array;
  /** [numRows][cols] */
  readonly x: Float32Array;
  readonly numRows: number;
  /** Activations in integers of 16 bits, so many of them with one scale; default 0: as they are. */
  readonly integerCols?: number;
  readonly norm?: { readonly gain: Float32Array; readonly eps: number };
  readonly bias?: Float32Array;
  readonly gate?: 'silu' | 'gelu_tanh';
  /** [numRows][outputs] */
  readonly residual?: Float32Array;
  readonly residualScale?: number;
  readonly outScale?: number;
  readonly softcap?: number;
}

/** CPU twin of gemv and gemm: [numRows][outputs], outputs = rows of W, or half of them with a gate. */
export function linearTwin(input: LinearInput): Float64Array {
  const { weight, words, numRows, gate, residual } = input;
  const { rows, cols } = weight;
  const matrix = Float64Array.from({ length: rows * cols }, (_, i) =>
    packedElement(weight, words, Math.floor(i / cols), i % cols),
  );
  const outputs = gate ? rows / 2 : rows;
  const out = new Float64Array(numRows * outputs);
  for (let m = 0; m < numRows; m++) {
    const x = normed(input, m);
    const product = (n: number) => {
      let y = input.bias?.[n] ?? 0;
      for (let k = 0; k < cols; k++) y += at(matrix, n * cols + k) * at(x, k);
      return y;
    };
    for (let i = 0; i < outputs; i++) {
      let y = gate ? activation(gate, product(i)) * product(outputs + i) : product(i);
      y *= input.outScale ?? 1;
      if (input.softcap) y = input.softcap * Math.tanh(y / input.softcap);
      if (residual) y = at(residual, m * outputs + i) + (input.residualScale ?? 1) * y;
      out[m * outputs + i] = y;
    }
  }
  return out;
}

export function activation(gate: 'silu' | 'gelu_tanh', g: number): number {
  if (gate === 'silu') return g / (1 + Math.exp(-g));
  return 0.5 * g * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (g + 0.044715 * g ** 3)));
}

function normed({ x, norm, weight, integerCols = 0 }: LinearInput, m: number): Float64Array {
  const row = Float64Array.from(x.subarray(m * weight.cols, (m + 1) * weight.cols));
  const mean = row.reduce((sum, value) => sum + value * value, 0) / weight.cols;
  const gained = norm ? row.map((value, k) => value * at(norm.gain, k)) : row;
  if (integerCols > 0) roundUnits(gained, integerCols);
  const scale = norm ? 1 / Math.sqrt(mean + norm.eps) : 1;
  return gained.map((value) => value * scale);
}

/** In place: so many at a time as multiples of 1/32512 of their largest. */
function roundUnits(row: Float64Array, cols: number): void {
  for (let start = 0; start < row.length; start += cols) {
    const unit = row.subarray(start, start + cols);
    const step = unit.reduce((top, value) => Math.max(top, Math.abs(value)), 0) / 32512;
    if (step > 0) for (const [i, value] of unit.entries()) unit[i] = step * Math.round(value / step);
  }
}

function at(values: Float32Array | Float64Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error(`index ${index} of ${values.length}`);
  return value;
}
