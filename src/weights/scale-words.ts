import { bf16Value, floatValues, halfBits } from './float-values';
import type { RowSlice } from './packed-form';
import type { QuantModule } from './quant-modules';
import { badTensor, type TensorEntry } from './safetensors';

/** The scales and zero points of a whole module, as they are in the checkpoint. */
export interface ScaleBytes {
  readonly scales: Uint8Array<ArrayBuffer>;
  readonly zeros: Uint8Array<ArrayBuffer> | null;
}

export interface ScaleWords {
  /** [rows][numGroups] of half s | half z, the scales of packed-tensor.ts. */
  readonly words: Uint32Array<ArrayBuffer>;
  readonly remarks: readonly ScaleRemark[];
}

/** What was not quite exact about a tensor. */
export interface ScaleRemark {
  readonly kind: 'rounded' | 'doubtful zeros';
  readonly tensor: string;
}

/** Remarks as warnings, one a kind. */
export function scaleWarnings(remarks: readonly ScaleRemark[]): readonly string[] {
  const words = {
    rounded: 'The scales were rounded to 16-bit floats',
    'doubtful zeros':
      'GPTQ zero points of 0 were found, which some writers damage; should the model talk nonsense, choose another checkpoint',
  } as const;
  return (['rounded', 'doubtful zeros'] as const).flatMap((kind) => {
    const tensors = new Set(remarks.flatMap((remark) => (remark.kind === kind ? [remark.tensor] : [])));
    const [first] = tensors;
    if (first === undefined) return [];
    return [`${words[kind]} (${first}${tensors.size > 1 ? `, and ${tensors.size - 1} more tensors` : ''}).`];
  });
}

/** A figure for group g of row n. */
type Lookup = (group: number, row: number) => number;

interface ZeroLookup {
  readonly at: Lookup;
  readonly remarks: readonly ScaleRemark[];
}

const HALF_OF_WHOLE = Uint16Array.from({ length: 17 }, (_, z) => halfBits(z));

/**
 * Scales and zero points of a slice, in groups of `groupSize`, which divides the module's. F16 scales and all zero points
 * are exact. BF16 and F32 scales are rounded to half, which is exact for BF16 above 2^-17; a warning tells where it is not.
 * Throws `bad-checkpoint` for a scale that is not finite, too large for a half, or would become 0.
 */
export function scaleWords(
  module: QuantModule,
  bytes: ScaleBytes,
  slice: Pick<RowSlice, 'sourceRow' | 'rows'>,
  groupSize: number,
): ScaleWords {
  const { cols } = module;
  const numGroups = Math.ceil(cols / groupSize);
  const scales = new ScaleReader(module, bytes.scales);
  const zeros = zeroLookup(module, bytes);
  const words = new Uint32Array(slice.rows * numGroups);
  const sourceGroups = Array.from({ length: numGroups }, (_, group) =>
    Math.floor((group * groupSize) / module.groupSize),
  );
  for (let row = 0; row < slice.rows; row++)
    for (const [group, sourceGroup] of sourceGroups.entries()) {
      const s = scales.half(sourceGroup, slice.sourceRow + row);
      const z = HALF_OF_WHOLE[zeros.at(sourceGroup, slice.sourceRow + row)] ?? 0;
      words[row * numGroups + group] = s | (z << 16);
    }
  return { words, remarks: [...scales.remarks(), ...zeros.remarks] };
}

/** Index of the scale of a group and row: [G, N] or [N, G], perhaps padded. */
function scaleIndex({ layout, scales }: QuantModule): Lookup {
  const [, stride = 0] = scales.shape;
  if (layout === 'compressed' || layout === 'awq-gemv') return (group, row) => row * stride + group;
  return (group, row) => group * stride + row;
}

class ScaleReader {
  readonly #entry: QuantModule['scales'];
  readonly #index: Lookup;
  readonly #halves: Uint16Array;
  readonly #floats: Float32Array | null;
  #isRounded = false;

  constructor(module: QuantModule, bytes: Uint8Array<ArrayBuffer>) {
    this.#entry = module.scales;
    this.#index = scaleIndex(module);
    this.#halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    this.#floats =
      module.scales.dtype === 'F32'
        ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
        : null;
  }

  half(group: number, row: number): number {
    const { file, name, dtype } = this.#entry;
    const at = this.#index(group, row);
    const value = this.#floats ? (this.#floats[at] ?? 0) : bf16Value(this.#halves[at] ?? 0);
    const half = dtype === 'F16' ? (this.#halves[at] ?? 0) : halfBits(value);
    const isNumber = dtype === 'F16' ? (half & 0x7c00) !== 0x7c00 : Number.isFinite(value);
    if (!isNumber) throw badTensor(file, name, 'holds a NaN or an infinity');
    if (dtype === 'F16') return half;
    if ((half & 0x7fff) === 0x7c00)
      throw badTensor(file, name, `holds ${value}, too large for 16-bit floats`);
    if ((half & 0x7fff) === 0 && value !== 0)
      throw badTensor(file, name, `holds ${value}, too small for 16-bit floats`);
    this.#isRounded ||= isInexact(value);
    return half;
  }

  remarks(): readonly ScaleRemark[] {
    return this.#isRounded ? [{ kind: 'rounded', tensor: this.#entry.name }] : [];
  }
}

/** True where a half does not hold the value: it has 11 significant bits, the last no smaller than 2^-24. */
function isInexact(value: number): boolean {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 1)));
  return !Number.isInteger(value * 2 ** (10 - exponent));
}

function zeroLookup(module: QuantModule, { scales, zeros }: ScaleBytes): ZeroLookup {
  const entry = module.zeros;
  if (!entry || !zeros) return { at: () => 8, remarks: [] };
  const [, stride = 0] = entry.shape;
  if (module.layout === 'awq-fast') return { at: scaledZeros(module, entry, scales, zeros), remarks: [] };
  if (entry.dtype === 'I8') {
    const signed = new Int8Array(zeros.buffer, zeros.byteOffset, zeros.length);
    return { at: signedZeros(entry, signed, stride), remarks: [] };
  }
  const words = new Uint32Array(zeros.buffer, zeros.byteOffset, zeros.length >> 2);
  if (module.layout === 'gptq') return gptqZeros(module, entry, words);
  return { at: wordZeros(module.layout, words, stride), remarks: [] };
}

function wordZeros(layout: QuantModule['layout'], words: Uint32Array, stride: number): Lookup {
  const nibble = (word: number, at: number) => ((words[word] ?? 0) >>> (4 * at)) & 15;
  if (layout === 'awq-gemv') return (group, row) => nibble(row * stride + (group >> 3), group & 7);
  if (layout === 'compressed') return (group, row) => nibble((row >> 3) * stride + group, row & 7);
  if (layout === 'gptq') return (group, row) => nibble(group * stride + (row >> 3), row & 7);
  // the nibbles of AWQ GEMM hold columns 0 2 4 6 1 3 5 7
  return (group, row) => nibble(group * stride + (row >> 3), (row & 1) * 4 + ((row & 7) >> 1));
}

/**
 * v1 stores z − 1. The writer of record subtracts 0x11111111 from whole words, so adding it to whole words is the exact
 * inverse. A file labelled v1 that holds 8 in every place is a mislabelled v2.
 */
function gptqZeros(module: QuantModule, entry: TensorEntry, words: Uint32Array): ZeroLookup {
  const [, stride = 0] = entry.shape;
  const lessOne = module.zerosLessOne && !words.every((word) => word === 0x88888888);
  if (!lessOne) return { at: wordZeros('gptq', words, stride), remarks: [] };
  const isDoubtful = module.isFifteenDoubtful && words.some(hasFifteen);
  return {
    at: wordZeros(
      'gptq',
      words.map((word) => word + 0x11111111),
      stride,
    ),
    remarks: isDoubtful ? [{ kind: 'doubtful zeros', tensor: entry.name }] : [],
  };
}

function hasFifteen(word: number): boolean {
  for (let at = 0; at < 32; at += 4) if (((word >>> at) & 15) === 15) return true;
  return false;
}

function signedZeros(entry: TensorEntry, signed: Int8Array, stride: number): Lookup {
  return (group, row) => {
    const z = (signed[row * stride + group] ?? 0) + 8;
    if (z < 0 || z > 15)
      throw badTensor(entry.file, entry.name, `holds ${z - 8}, which is no 4-bit zero point`);
    return z;
  };
}

/** −z · s in half: z is the nearest whole number, which rounding of the product cannot have moved by a tenth. */
function scaledZeros(
  module: QuantModule,
  entry: TensorEntry,
  scaleBytes: Uint8Array<ArrayBuffer>,
  zeroBytes: Uint8Array<ArrayBuffer>,
): Lookup {
  const [scales, zeros] = [floatValues(scaleBytes, module.scales.dtype), floatValues(zeroBytes, 'F16')];
  const [, stride = 0] = entry.shape;
  return (group, row) => {
    const at = group * stride + row;
    const [s, product] = [scales[at] ?? 0, zeros[at] ?? Number.NaN];
    if (s === 0 && product === 0) return 0;
    const exact = -product / s;
    const z = Math.round(exact);
    if (!(Math.abs(exact - z) < 0.1 && z >= 0 && z <= 16))
      throw badTensor(entry.file, entry.name, `holds ${product}, which is no whole zero point of scale ${s}`);
    return z;
  };
}
