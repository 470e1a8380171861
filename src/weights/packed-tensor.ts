/**
 * The layout of one weight on the GPU and in the cache: the same bytes in both places.
 *
 * linear, w4 | w8 | w16: codes then scales.
 *   codes   row-major [rows][paddedCols], `bits` each, natural order: element k of a row sits at bit
 *           (k · bits) mod 32 of word ⌊k · bits / 32⌋. paddedCols = cols rounded up to 32, so that a row is whole
 *           16-byte loads. w4 and w8 are unsigned; w16 is IEEE half.
 *   scales  (w4, w8) row-major [rows][numGroups] of one u32: half s in the low bits, half z in the high bits, and
 *           w = s · (u − z). z is kept apart from s (TurboMind fuses −z·s) because then both are exact: a repacked
 *           AWQ/GPTQ/compressed-tensors weight loses nothing. Padding columns hold u = 0 and must meet x = 0.
 * vector, f32: [cols] floats (norm weights, biases).
 * order, u32: `NAME.perm`, [cols] beside a linear NAME whose columns were sorted by group (GPTQ act-order): packed column j
 *           holds column perm[j] of the matrix, so it meets x[perm[j]].
 */
export type PackedFormat = 'w4' | 'w8' | 'w16' | 'f32' | 'u32';

export interface PackedTensor {
  readonly name: string;
  readonly format: PackedFormat;
  readonly rows: number;
  readonly cols: number;
  readonly paddedCols: number;
  /** Columns that share a scale; multiple of 32. 0 where there are none. The last group may be short. */
  readonly groupSize: number;
  readonly numGroups: number;
  readonly codesBytes: number;
  /** Offset of the scales from the start of the tensor: codesBytes. */
  readonly scalesBytes: number;
  /** codes + scales, rounded up to 16. */
  readonly totalBytes: number;
}

export const FORMAT_BITS: Readonly<Record<PackedFormat, number>> = {
  w4: 4,
  w8: 8,
  w16: 16,
  f32: 32,
  u32: 32,
};

export function packedLinear(
  name: string,
  format: 'w4' | 'w8' | 'w16',
  rows: number,
  cols: number,
  groupSize = 128,
): PackedTensor {
  const paddedCols = Math.ceil(cols / 32) * 32;
  const codesBytes = (rows * paddedCols * FORMAT_BITS[format]) / 8;
  const group = format === 'w16' ? 0 : groupSize;
  const numGroups = group === 0 ? 0 : Math.ceil(cols / group);
  const scalesBytes = rows * numGroups * 4;
  const totalBytes = Math.ceil((codesBytes + scalesBytes) / 16) * 16;
  return {
    name,
    format,
    rows,
    cols,
    paddedCols,
    groupSize: group,
    numGroups,
    codesBytes,
    scalesBytes,
    totalBytes,
  };
}

export function packedVector(name: string, cols: number): PackedTensor {
  return packedRow(name, 'f32', cols);
}

/** The column order of the linear `linearName`. */
export function packedOrder(linearName: string, cols: number): PackedTensor {
  return packedRow(orderName(linearName), 'u32', cols);
}

export function orderName(linearName: string): string {
  return `${linearName}.perm`;
}

function packedRow(name: string, format: 'f32' | 'u32', cols: number): PackedTensor {
  const totalBytes = Math.ceil(cols / 4) * 16;
  return {
    name,
    format,
    rows: 1,
    cols,
    paddedCols: Math.ceil(cols / 4) * 4,
    groupSize: 0,
    numGroups: 0,
    codesBytes: totalBytes,
    scalesBytes: 0,
    totalBytes,
  };
}

/** A packed tensor in GPU memory. `byteOffset` is a multiple of 256 in slab number `slab`. */
export interface PlacedTensor extends PackedTensor {
  readonly slab: number;
  readonly byteOffset: number;
}

/** By the names of the specs. */
export type PlacedTensors = ReadonlyMap<string, PlacedTensor>;
