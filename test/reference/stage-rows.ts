const UNIT = 32;
/** Vectors of 16 bytes. */
const UNIT_BYTES = 80;

/** What the units of one row as stage_rows.wgsl leaves them stand for, and what each says of the sum of its values. */
export function unitValues(words: Uint32Array): { readonly values: number[]; readonly sums: number[] } {
  const bytes = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const values: number[] = [];
  const sums: number[] = [];
  for (let at = 0; at < bytes.length; at += UNIT_BYTES) {
    const scale = floats[(at + 64) / 4] ?? Number.NaN;
    sums.push(floats[(at + 64) / 4 + 1] ?? Number.NaN);
    for (let k = 0; k < UNIT; k++) {
      // of each eight: bytes h of even k, h of odd k, l of even k, l of odd k
      const byte = at + Math.floor(k / 8) * 16 + (k % 2) * 4 + Math.floor((k % 8) / 2);
      values.push(scale * (256 * (bytes[byte] ?? Number.NaN) + (bytes[byte + 8] ?? Number.NaN)));
    }
  }
  return { values, sums };
}
