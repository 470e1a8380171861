import type { FloatDtype } from '../kernels/quantize';

/** Little-endian checkpoint floats as f32. */
export function floatValues(bytes: Uint8Array<ArrayBuffer>, dtype: FloatDtype): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.length / (dtype === 'F32' ? 4 : 2);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++)
    values[i] = dtype === 'F32' ? view.getFloat32(4 * i, true) : half(view.getUint16(2 * i, true), dtype);
  return values;
}

const scratch = new DataView(new ArrayBuffer(4));

function half(bits: number, dtype: 'F16' | 'BF16'): number {
  return dtype === 'F16' ? halfValue(bits) : bf16Value(bits);
}

/** bfloat16 bits as a number. */
export function bf16Value(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** IEEE half bits as a number. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest half of a finite f32, ties to even; 0x7c00 in the magnitude where it is too large. */
export function halfBits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x33000000) return sign;
  const isSubnormal = magnitude < 0x38800000;
  const shift = isSubnormal ? 126 - (magnitude >>> 23) : 13;
  const fraction = isSubnormal ? (magnitude & 0x7fffff) | 0x800000 : magnitude - (112 << 23);
  const low = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (low + (rest > middle || (rest === middle && (low & 1) === 1) ? 1 : 0));
}
