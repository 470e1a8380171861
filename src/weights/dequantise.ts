import { halfValue } from './float-values';
import type { QuantModule } from './quant-modules';

/** Code u[n, k] of a matrix, from the bytes of all its codes; shaders/repack.wgsl describes the layouts. */
function codeLookup(
  { layout, rows, cols }: QuantModule,
  bytes: Uint8Array<ArrayBuffer>,
): (n: number, k: number) => number {
  if (layout === 'awq-fast') {
    const shorts = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    return (n, k) => {
      const inHalf = k & 31;
      const position = (k & 32) + ((inHalf & 6) << 2) + ((inHalf & 1) << 2) + (inHalf >> 3);
      const at = (n >> 2) * cols + (k & ~63) + (n & 3) * 16 + (position >> 2);
      return ((shorts[at] ?? 0) >> (4 * (position & 3))) & 15;
    };
  }
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const nibble = (word: number, at: number) => ((words[word] ?? 0) >>> (4 * at)) & 15;
  if (layout === 'awq-gemm') {
    const stride = rows / 8;
    return (n, k) => nibble(k * stride + (n >> 3), (n & 1) * 4 + ((n & 7) >> 1));
  }
  if (layout === 'gptq') return (n, k) => nibble((k >> 3) * rows + n, k & 7);
  const stride = Math.ceil(cols / 8);
  return (n, k) => nibble(n * stride + (k >> 3), k & 7);
}

/**
 * Rows of a quantised matrix in float, one block after the other: f32 [count][K], W[n, k] = (u − z) · s. `scales` are
 * those of scaleWords for rows firstRow … in the module's own groups.
 */
export function* dequantisedRows(
  module: QuantModule,
  codes: Uint8Array<ArrayBuffer>,
  scales: Uint32Array,
  firstRow: number,
  maxRows: number,
): Generator<{ readonly row: number; readonly values: Float32Array<ArrayBuffer> }, void, undefined> {
  const { cols, numGroups, groupSize, order } = module;
  const numRows = scales.length / numGroups;
  const codeAt = codeLookup(module, codes);
  const groups = order?.groups ?? Uint32Array.from({ length: cols }, (_, k) => Math.floor(k / groupSize));
  for (let row = 0; row < numRows; row += maxRows) {
    const count = Math.min(maxRows, numRows - row);
    const values = new Float32Array(count * cols);
    for (let r = 0; r < count; r++)
      for (let k = 0; k < cols; k++) {
        const pair = scales[(row + r) * numGroups + (groups[k] ?? 0)] ?? 0;
        const steps = codeAt(firstRow + row + r, k) - halfValue(pair >>> 16);
        values[r * cols + k] = steps * halfValue(pair & 0xffff);
      }
    yield { row, values };
  }
}
