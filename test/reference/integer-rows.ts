/** The words of numRows rows as integer_rows.wgsl leaves them. */
export interface IntegerRows {
  readonly words: Uint32Array;
  readonly bits: 4 | 8;
  readonly numRows: number;
  /** Rows that there is room for. */
  readonly planeRows: number;
  readonly paddedCols: number;
  readonly groupCols: number;
}

/** What they stand for, [numRows][paddedCols], and what each group says of the sum of its values, [numRows][groups]. */
export function integerRowValues(rows: IntegerRows): { readonly values: number[]; readonly sums: number[] } {
  const { words, bits, numRows, planeRows, paddedCols, groupCols } = rows;
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const groups = Math.ceil(paddedCols / groupCols);
  const scalesAt = (planeRows * paddedCols) / 2;
  const values: number[] = [];
  const sums: number[] = [];
  for (let row = 0; row < numRows; row++) {
    for (let k = 0; k < paddedCols; k++) {
      const place = bits === 4 ? (k % 2) * 4 + Math.floor((k % 8) / 2) : k % 8;
      const byte = row * paddedCols + Math.floor(k / 8) * 8 + place;
      const scale = floats[scalesAt + Math.floor(k / groupCols) * planeRows + row] ?? Number.NaN;
      const low = bytes[byte + planeRows * paddedCols] ?? Number.NaN;
      values.push(scale * (256 * (bytes[byte] ?? Number.NaN) + low));
    }
    for (let g = 0; g < groups; g++)
      sums.push(floats[scalesAt + (groups + g) * planeRows + row] ?? Number.NaN);
  }
  return { values, sums };
}
