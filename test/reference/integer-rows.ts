/** What an RMS norm leaves of a row before it divides: its gains, and the share of the mean of squares of every groupCols columns. */
export function deferredNorm(x: ArrayLike<number>, gain: ArrayLike<number>, groupCols: number) {
  const values = Array.from(x, (value, k) => value * (gain[k] ?? Number.NaN));
  const squares = Array.from({ length: Math.ceil(x.length / groupCols) }, (_, g) => {
    let sum = 0;
    for (let k = g * groupCols; k < Math.min(x.length, (g + 1) * groupCols); k++)
      sum += (x[k] ?? Number.NaN) ** 2;
    return sum / x.length;
  });
  return { values, squares };
}

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

export interface IntegerRowValues {
  /** What they stand for, [numRows][paddedCols]. */
  readonly values: number[];
  /** What each group says of the sum of its values, [numRows][groups]. */
  readonly sums: number[];
  /** What it adds to the mean of the squares of the row that is to be normed, likewise; without a norm these mean nothing. */
  readonly squares: number[];
}

export function integerRowValues(rows: IntegerRows): IntegerRowValues {
  const { words, bits, numRows, planeRows, paddedCols, groupCols } = rows;
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const groups = Math.ceil(paddedCols / groupCols);
  const scalesAt = (planeRows * paddedCols) / 2;
  const values: number[] = [];
  const sums: number[] = [];
  const squares: number[] = [];
  for (let row = 0; row < numRows; row++) {
    for (let k = 0; k < paddedCols; k++) {
      const place = bits === 4 ? (k % 2) * 4 + Math.floor((k % 8) / 2) : k % 8;
      const byte = row * paddedCols + Math.floor(k / 8) * 8 + place;
      const scale = floats[scalesAt + Math.floor(k / groupCols) * planeRows + row] ?? Number.NaN;
      const low = bytes[byte + planeRows * paddedCols] ?? Number.NaN;
      values.push(scale * (256 * (bytes[byte] ?? Number.NaN) + low));
    }
    for (let g = 0; g < groups; g++) {
      sums.push(floats[scalesAt + (groups + g) * planeRows + row] ?? Number.NaN);
      squares.push(
        floats[scalesAt + 2 * groups * planeRows + row * Math.ceil(groups / 4) * 4 + g] ?? Number.NaN,
      );
    }
  }
  return { values, sums, squares };
}
