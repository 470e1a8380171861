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
  if (dtype === 'BF16') {
    scratch.setUint16(0, bits);
    return scratch.getFloat32(0);
  }
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
