import { floatToHalf, halfToFloat } from './half';
import type { StoredTensor } from './memory-source';
import type { Random } from './random';

/** A quantised matrix before it is packed: u[n][k], and s and z of each row and group. */
export interface QuantCodes {
  readonly rows: number;
  readonly cols: number;
  readonly groupSize: number;
  readonly numGroups: number;
  readonly codes: Uint8Array;
  readonly zeros: Uint8Array;
  /** Half bits. */
  readonly scales: Uint16Array;
  /** Group of each column; in order unless told otherwise. */
  readonly groups: readonly number[];
}

export function randomCodes(random: Random, rows: number, cols: number, groupSize: number): QuantCodes {
  const numGroups = Math.ceil(cols / groupSize);
  return {
    rows,
    cols,
    groupSize,
    numGroups,
    codes: Uint8Array.from({ length: rows * cols }, () => random.below(16)),
    zeros: Uint8Array.from({ length: rows * numGroups }, () => random.between(1, 15)),
    scales: Uint16Array.from({ length: rows * numGroups }, () => floatToHalf(0.001 + random.uniform() / 50)),
    groups: Array.from({ length: cols }, (_, k) => Math.floor(k / groupSize)),
  };
}

/** (u − z) · s */
export function codesElement(
  { cols, numGroups, codes, zeros, scales, groups }: QuantCodes,
  n: number,
  k: number,
) {
  const at = n * numGroups + (groups[k] ?? Number.NaN);
  return ((codes[n * cols + k] ?? 0) - (zeros[at] ?? Number.NaN)) * halfToFloat(scales[at] ?? 0);
}

type Tensors = Readonly<Record<string, StoredTensor>>;

/** Words of nibbles: value(i, j) is nibble j of word i. */
function words(shape: readonly number[], value: (word: number, nibble: number) => number): StoredTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const packed = Uint32Array.from({ length: count }, (_, word) => {
    let bits = 0;
    for (let nibble = 0; nibble < 8; nibble++) bits |= value(word, nibble) << (4 * nibble);
    return bits;
  });
  return { dtype: 'I32', shape, bytes: new Uint8Array(packed.buffer) };
}

function halves(shape: readonly number[], value: (index: number) => number): StoredTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const packed = Uint16Array.from({ length: count }, (_, index) => value(index));
  return { dtype: 'F16', shape, bytes: new Uint8Array(packed.buffer) };
}

const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

/** AutoAWQ, version GEMM. */
export function packAwqGemm(module: string, q: QuantCodes): Tensors {
  const { rows, cols, numGroups, codes, zeros, scales } = q;
  const width = rows / 8;
  const row = (word: number, nibble: number) => (word % width) * 8 + (AWQ_ORDER[nibble] ?? 0);
  return {
    [`${module}.qweight`]: words(
      [cols, width],
      (word, nibble) => codes[row(word, nibble) * cols + Math.floor(word / width)] ?? 0,
    ),
    [`${module}.qzeros`]: words(
      [numGroups, width],
      (word, nibble) => zeros[row(word, nibble) * numGroups + Math.floor(word / width)] ?? 0,
    ),
    [`${module}.scales`]: halves(
      [numGroups, rows],
      (i) => scales[(i % rows) * numGroups + Math.floor(i / rows)] ?? 0,
    ),
  };
}

function paddedWidth({ numGroups, groupSize }: QuantCodes): number {
  const multiple = groupSize >= 128 ? 1 : groupSize === 64 ? 2 : 4;
  return Math.ceil(Math.ceil(numGroups / 8) / multiple) * multiple;
}

/** AutoAWQ, version GEMV. */
export function packAwqGemv(module: string, q: QuantCodes): Tensors {
  const { rows, cols, numGroups, codes, zeros, scales } = q;
  const [codeWidth, width] = [cols / 8, paddedWidth(q)];
  const padded = <T>(group: number, value: T) => (group < numGroups ? value : 0);
  return {
    [`${module}.qweight`]: words(
      [rows, codeWidth],
      (word, nibble) => codes[Math.floor(word / codeWidth) * cols + (word % codeWidth) * 8 + nibble] ?? 0,
    ),
    [`${module}.qzeros`]: words([rows, width], (word, nibble) => {
      const [n, group] = [Math.floor(word / width), (word % width) * 8 + nibble];
      return Number(padded(group, zeros[n * numGroups + group] ?? 0));
    }),
    [`${module}.scales`]: halves([rows, 8 * width], (i) => {
      const [n, group] = [Math.floor(i / (8 * width)), i % (8 * width)];
      return Number(padded(group, scales[n * numGroups + group] ?? 0));
    }),
  };
}

/**
 * AutoAWQ, version GEMV_fast (llm-awq): of every 32 columns, the packer first puts the even ones of each eight before the
 * odd ones by pairs, then takes four rows and 64 columns together, and packs four codes into 16 bits.
 */
export function packAwqFast(module: string, q: QuantCodes): Tensors {
  const { rows, cols, numGroups, codes, zeros, scales } = q;
  const width = 8 * paddedWidth(q);
  const shorts = new Uint16Array((rows / 4) * cols);
  for (let n = 0; n < rows; n++) {
    // columns of a row in the order of the file: [32] as [4][4][2] → [4][2][4]
    const order: number[] = [];
    for (let base = 0; base < cols; base += 32)
      for (let a = 0; a < 4; a++)
        for (let p = 0; p < 2; p++) for (let b = 0; b < 4; b++) order.push(base + 8 * b + 2 * a + p);
    for (const [place, k] of order.entries()) {
      const [chunk, position] = [Math.floor(place / 64), place % 64];
      const at = Math.floor(n / 4) * cols + chunk * 64 + (n % 4) * 16 + Math.floor(position / 4);
      shorts[at] = (shorts[at] ?? 0) | ((codes[n * cols + k] ?? 0) << (4 * (position % 4)));
    }
  }
  const at = (i: number) => {
    const [group, n] = [Math.floor(i / rows), i % rows];
    return group < numGroups ? n * numGroups + group : -1;
  };
  const scaled = (i: number) => -(zeros[i] ?? 0) * halfToFloat(scales[i] ?? 0);
  return {
    [`${module}.qweight`]: { dtype: 'I16', shape: [rows / 4, cols], bytes: new Uint8Array(shorts.buffer) },
    [`${module}.qzeros`]: halves([width, rows], (i) => (at(i) < 0 ? 0 : floatToHalf(scaled(at(i))))),
    [`${module}.scales`]: halves([width, rows], (i) => (at(i) < 0 ? 0 : (scales[at(i)] ?? 0))),
  };
}

/** GPTQ: v1 stores z − 1, subtracted from whole words. */
export function packGptq(module: string, q: QuantCodes, version: 'v1' | 'v2', withIndex = false): Tensors {
  const { rows, cols, numGroups, codes, zeros, scales, groups } = q;
  const width = rows / 8;
  const stored = words(
    [numGroups, width],
    (word, nibble) => zeros[((word % width) * 8 + nibble) * numGroups + Math.floor(word / width)] ?? 0,
  );
  if (version === 'v1') {
    const view = new Uint32Array(stored.bytes.buffer);
    for (const [i, word] of view.entries()) view[i] = word - 0x11111111;
  }
  return {
    [`${module}.qweight`]: words(
      [cols / 8, rows],
      (word, nibble) => codes[(word % rows) * cols + Math.floor(word / rows) * 8 + nibble] ?? 0,
    ),
    [`${module}.qzeros`]: stored,
    [`${module}.scales`]: halves(
      [numGroups, rows],
      (i) => scales[(i % rows) * numGroups + Math.floor(i / rows)] ?? 0,
    ),
    ...(withIndex ? { [`${module}.g_idx`]: index32(groups) } : {}),
  };
}

/** compressed-tensors; zero points packed along the rows. */
export function packCompressed(
  module: string,
  q: QuantCodes,
  groups: readonly number[] | null = null,
): Tensors {
  const { rows, cols, numGroups, codes, zeros, scales } = q;
  const width = Math.ceil(cols / 8);
  return {
    [`${module}.weight_packed`]: words([rows, width], (word, nibble) => {
      const k = (word % width) * 8 + nibble;
      return k < cols ? (codes[Math.floor(word / width) * cols + k] ?? 0) : 0;
    }),
    [`${module}.weight_zero_point`]: words(
      [Math.ceil(rows / 8), numGroups],
      (word, nibble) =>
        zeros[(Math.floor(word / numGroups) * 8 + nibble) * numGroups + (word % numGroups)] ?? 0,
    ),
    [`${module}.weight_scale`]: halves([rows, numGroups], (i) => scales[i] ?? 0),
    [`${module}.weight_shape`]: {
      dtype: 'I64',
      shape: [2],
      bytes: new Uint8Array(BigInt64Array.from([BigInt(rows), BigInt(cols)]).buffer),
    },
    ...(groups ? { [`${module}.weight_g_idx`]: index32(groups) } : {}),
  };
}

export function index32(values: readonly number[]): StoredTensor {
  return { dtype: 'I32', shape: [values.length], bytes: new Uint8Array(Int32Array.from(values).buffer) };
}
