import type { QuantizeCall } from '../../src/kernels/quantize';
import { NOT_FINITE, TOO_LARGE } from '../../src/kernels/quantize';
import { FORMAT_BITS } from '../../src/weights/packed-tensor';
import { floatToHalf, halfToFloat } from './half';
import { setCode } from './packed';

/** CPU twin of shaders/quantize.wgsl: fills `packed` and `flags` exactly as the kernel does. */
export function quantizeTwin(
  bytes: Uint8Array,
  call: QuantizeCall,
  packed: Uint32Array,
  flags: Uint32Array,
): void {
  const { rows, cols, dtype, format } = call;
  const values = readFloats(bytes, dtype, rows * cols);
  const groupSize = format === 'w16' ? 32 : call.groupSize;
  for (let row = 0; row < rows; row++)
    for (let first = 0; first < cols; first += groupSize) {
      const group = values.subarray(row * cols + first, row * cols + Math.min(cols, first + groupSize));
      const flag =
        format === 'w16'
          ? halfGroup(group, call, row, first, packed)
          : codeGroup(group, call, row, first, packed);
      flags[call.flagAt] = (flags[call.flagAt] ?? 0) | flag;
    }
}

function halfGroup(
  group: Float32Array,
  call: QuantizeCall,
  row: number,
  first: number,
  packed: Uint32Array,
): number {
  let flag = 0;
  for (const [i, value] of group.entries()) {
    const half = floatToHalf(value);
    if (!Number.isFinite(value)) flag |= NOT_FINITE;
    else if ((half & 0x7fff) === 0x7c00) flag |= TOO_LARGE;
    setCode(packed, call.codesAt * 2 + row * call.paddedCols + first + i, 16, half);
  }
  return flag;
}

function codeGroup(
  group: Float32Array,
  call: QuantizeCall,
  row: number,
  first: number,
  packed: Uint32Array,
): number {
  const bits = FORMAT_BITS[call.format];
  const maxCode = 2 ** bits - 1;
  if (!group.every(Number.isFinite)) return NOT_FINITE;
  const lo = group.reduce((a, b) => Math.min(a, b), 0);
  const hi = group.reduce((a, b) => Math.max(a, b), 0);
  const range = Math.max(Math.fround(hi - lo), Math.fround(1e-5));
  const scale = scaleToHalf(Math.fround(range * Math.fround(1 / maxCode)));
  if (scale >= 0x7c00) return TOO_LARGE;
  const s = halfToFloat(scale);
  const clamp = (steps: number) => Math.min(maxCode, Math.max(0, steps));
  const z = clamp(roundHalfEven(-lo, s));
  const numGroups = Math.ceil(call.paddedCols / call.groupSize);
  packed[call.scalesAt + row * numGroups + first / call.groupSize] = (scale | (floatToHalf(z) << 16)) >>> 0;
  for (const [i, value] of group.entries())
    setCode(
      packed,
      (call.codesAt * 32) / bits + row * call.paddedCols + first + i,
      bits,
      clamp(roundHalfEven(value, s) + z),
    );
  return 0;
}

function scaleToHalf(scale: number): number {
  return scale < 2 ** -14 ? Math.ceil(scale * 2 ** 24) : floatToHalf(scale);
}

/** round(w / s), ties to even, decided by exact products: s has 11 bits, w 24. */
function roundHalfEven(w: number, s: number): number {
  const floor = Math.floor(w / s);
  for (const k of [floor - 1, floor, floor + 1]) {
    const middle = (k + 0.5) * s;
    if (w < middle || (w === middle && k % 2 === 0)) return k;
  }
  return floor + 2;
}

export function readFloats(bytes: Uint8Array, dtype: 'F32' | 'F16' | 'BF16', count: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scratch = new DataView(new ArrayBuffer(4));
  return Float32Array.from({ length: count }, (_, i) => {
    if (dtype === 'F32') return view.getFloat32(4 * i, true);
    const half = view.getUint16(2 * i, true);
    if (dtype === 'F16') return halfToFloat(half);
    scratch.setUint32(0, half << 16);
    return scratch.getFloat32(0);
  });
}
