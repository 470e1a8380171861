// Floats to 16-bit integers q = 256 h + l, |q| <= 32512, h and l signed bytes.

fn largest(x: vec4<f32>) -> f32 {
  return max(max(abs(x.x), abs(x.y)), max(abs(x.z), abs(x.w)));
}

// Added to a float below 2^22, it leaves the nearest integer in the lowest bits: conversions are slow. Taken off again as a
// float it would be gone altogether: compilers may see that it was added.
const ROUNDER = 12582912.0;
const ROUNDER_BITS = 0x4b400000u;

fn with_rounder(x: vec4<f32>, inverse: f32) -> vec4<u32> {
  return bitcast<vec4<u32>>(fma(x, vec4<f32>(inverse), vec4<f32>(ROUNDER)));
}

// Bytes h in x, bytes l in y, of four k of one parity with the rounder.
fn bytes(q: vec4<u32>) -> vec2<u32> {
  // 256 h + l + 128, so that no borrow leaves the lower byte.
  let whole = q + vec4<u32>(128u);
  let ends = (whole.xy & vec2<u32>(0xffffu)) | (whole.zw << vec2<u32>(16u));
  return vec2<u32>(
    ((ends.x >> 8u) & 0x00ff00ffu) | (ends.y & 0xff00ff00u),
    ((ends.x & 0x00ff00ffu) | ((ends.y & 0x00ff00ffu) << 8u)) ^ 0x80808080u);
}
