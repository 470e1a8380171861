import type { RepackCall } from '../../src/kernels/repack';

/** Code u[n, k] of a part of a checkpoint matrix; null where the part does not hold it. */
export function sourceCode(call: RepackCall, source: Uint32Array, n: number, k: number): number | null {
  const { layout, cols, sourceRows, first, count } = call;
  const nibble = (word: number, at: number) => ((source[word] ?? 0) >>> (4 * at)) & 15;
  if (layout === 'awq-gemm') {
    if (k < first || k >= first + count) return null;
    // column 8c + j of a word is nibble …
    const places = [0, 4, 1, 5, 2, 6, 3, 7];
    return nibble(((k - first) * sourceRows) / 8 + Math.floor(n / 8), places[n % 8] ?? 0);
  }
  if (layout === 'gptq') {
    const row = Math.floor(k / 8);
    if (row < first || row >= first + count) return null;
    return nibble((row - first) * sourceRows + n, k % 8);
  }
  if (layout === 'row-major') {
    if (n < first || n >= first + count) return null;
    return nibble((n - first) * Math.ceil(cols / 8) + Math.floor(k / 8), k % 8);
  }
  const [block, r] = [Math.floor(n / 4), n % 4];
  if (block < first || block >= first + count) return null;
  const [c, k6] = [Math.floor(k / 64), k % 64];
  const [h, kk] = [Math.floor(k6 / 32), k6 % 32];
  const [b, a, p] = [Math.floor(kk / 8), Math.floor((kk % 8) / 2), kk % 2];
  const position = 32 * h + 8 * a + 4 * p + b;
  const short = (block - first) * cols + 64 * c + 16 * r + Math.floor(position / 4);
  return nibble(Math.floor(short / 2), 4 * (short % 2) + (position % 4));
}

/** CPU twin of shaders/repack.wgsl: codes that the part does not hold stay as they are, the padding becomes 0. */
export function repackTwin(source: Uint32Array, call: RepackCall, packed: Uint32Array): void {
  const { cols, paddedCols, sourceRow, rows, codesAt, permAt } = call;
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < paddedCols; j++) {
      const k = permAt === null ? j : (packed[permAt + j] ?? Number.NaN);
      const code = j < cols ? sourceCode(call, source, sourceRow + row, k) : 0;
      if (code === null) continue;
      const at = codesAt + (row * paddedCols) / 8 + Math.floor(j / 8);
      const shift = 4 * (j % 8);
      packed[at] = (((packed[at] ?? 0) & ~(15 << shift)) | (code << shift)) >>> 0;
    }
}
