import { halfToFloat } from './half';

/** A tensor as it lies in the file. */
export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface QuantMatrix {
  readonly rows: number;
  readonly cols: number;
  /** (u − z) · s, exact in f64. */
  at(n: number, k: number): number;
}

export interface QuantRules {
  readonly symmetric: boolean;
  /** GPTQ zero points are stored less one. */
  readonly v1: boolean;
  readonly groupSize: number;
}

const AWQ_PLACES = [0, 4, 1, 5, 2, 6, 3, 7];

/** Plain dequantisation of one linear, format by format, as the writers' own documents have it; null for a float one. */
export function quantMatrix(
  tensor: (leaf: string) => RawTensor | undefined,
  rules: QuantRules,
): QuantMatrix | null {
  const packed = tensor('weight_packed');
  if (packed) return compressedMatrix(tensor, rules);
  const codes = tensor('qweight');
  const scales = tensor('scales');
  if (!codes || !scales) return null;
  const [rows = 0] = [scales.shape[1]];
  const [first = 0, second = 0] = codes.shape;
  const zeros = tensor('qzeros');
  const s = (g: number, n: number) => float(scales, g * rows + n);
  const numGroups = scales.shape[0] ?? 0;
  if (second * 8 === rows) {
    const group = (k: number) => Math.floor(k / (first / numGroups));
    const nibble = (t: RawTensor | undefined, r: number, n: number) =>
      (word(t, r * second + Math.floor(n / 8)) >>> (4 * (AWQ_PLACES[n % 8] ?? 0))) & 15;
    const at = (n: number, k: number) => (nibble(codes, k, n) - nibble(zeros, group(k), n)) * s(group(k), n);
    return { rows, cols: first, at };
  }
  const cols = first * 8;
  const index = tensor('g_idx');
  const groupSize = rules.groupSize > 0 ? rules.groupSize : cols;
  const group = (k: number) => (index ? word(index, k) : Math.floor(k / groupSize));
  const zero = (g: number, n: number) => {
    if (rules.symmetric) return 8;
    const stored = BigInt(word(zeros, (g * rows) / 8 + Math.floor(n / 8)));
    const all = rules.v1 ? (stored + 0x11111111n) & 0xffffffffn : stored;
    return Number((all >> BigInt(4 * (n % 8))) & 15n);
  };
  const code = (n: number, k: number) => (word(codes, Math.floor(k / 8) * rows + n) >>> (4 * (k % 8))) & 15;
  return { rows, cols, at: (n, k) => (code(n, k) - zero(group(k), n)) * s(group(k), n) };
}

function compressedMatrix(tensor: (leaf: string) => RawTensor | undefined, rules: QuantRules): QuantMatrix {
  const [codes, scales, zeros, index, shape] = [
    'weight_packed',
    'weight_scale',
    'weight_zero_point',
    'weight_g_idx',
    'weight_shape',
  ].map(tensor);
  if (!codes || !scales || !shape) throw new Error('a part is missing');
  const [rows, cols] = [word(shape, 0), word(shape, 2)];
  const [, numGroups = 0] = scales.shape;
  const groupSize = rules.groupSize > 0 ? rules.groupSize : cols;
  const group = (k: number) => (index ? word(index, k) : Math.floor(k / groupSize));
  const zero = (n: number, g: number) => {
    if (!zeros) return 8;
    if (zeros.dtype === 'I8') return new Int8Array(zeros.bytes)[n * numGroups + g] ?? Number.NaN;
    return (word(zeros, Math.floor(n / 8) * numGroups + g) >>> (4 * (n % 8))) & 15;
  };
  const unsigned = zeros?.dtype === 'I8' ? 8 : 0;
  const code = (n: number, k: number) =>
    (word(codes, n * Math.ceil(cols / 8) + Math.floor(k / 8)) >>> (4 * (k % 8))) & 15;
  const at = (n: number, k: number) =>
    (code(n, k) - unsigned - zero(n, group(k))) * float(scales, n * numGroups + group(k));
  return { rows, cols, at };
}

function word(tensor: RawTensor | undefined, index: number): number {
  if (!tensor) throw new Error('a tensor is missing');
  const { bytes } = tensor;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4 * index, true);
}

function float({ dtype, bytes }: RawTensor, index: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (dtype === 'F32') return view.getFloat32(4 * index, true);
  const bits = view.getUint16(2 * index, true);
  if (dtype === 'F16') return halfToFloat(bits);
  const wide = new DataView(new ArrayBuffer(4));
  wide.setUint16(0, bits);
  return wide.getFloat32(0);
}
