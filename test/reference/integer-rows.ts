/** The words of numRows rows as integer_rows.wgsl leaves them. */
export interface IntegerRows {
  readonly words: Uint32Array;
  readonly bits: 4 | 8;
  readonly numRows: number;
  readonly paddedCols: number;
  readonly groupCols: number;
}

/** What they stand for, [numRows][paddedCols], and what each group says of the sum of its values, [numRows][groups]. */
export function integerRowValues(rows: IntegerRows): { readonly values: number[]; readonly sums: number[] } {
  const { words, bits, numRows, paddedCols, groupCols } = rows;
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const groups = Math.ceil(paddedCols / groupCols);
  const scalesAt = (numRows * paddedCols) / 2;
  const values: number[] = [];
  const sums: number[] = [];
  for (let row = 0; row < numRows; row++) {
    for (let k = 0; k < paddedCols; k++) {
      const place = bits === 4 ? (k % 2) * 4 + Math.floor((k % 8) / 2) : k % 8;
      const byte = row * paddedCols * 2 + Math.floor(k / 8) * 8 + place;
      const scale = floats[scalesAt + 2 * (row * groups + Math.floor(k / groupCols))] ?? Number.NaN;
      values.push(scale * (256 * (bytes[byte] ?? Number.NaN) + (bytes[byte + paddedCols] ?? Number.NaN)));
    }
    for (let g = 0; g < groups; g++) sums.push(floats[scalesAt + 2 * (row * groups + g) + 1] ?? Number.NaN);
  }
  return { values, sums };
}
