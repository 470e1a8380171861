// Floats to 16-bit integers q = 256 h + l, |q| <= 32512, h and l signed bytes: x ~ scale * q, of one scale for all that share a top.

#import floats8

fn largest(x: Floats8) -> f32 {
  return max(largest4(x.a), largest4(x.b));
}

fn largest4(x: vec4<f32>) -> f32 {
  return max(max(abs(x.x), abs(x.y)), max(abs(x.z), abs(x.w)));
}

// Added to a float below 2^22, it leaves the nearest integer in the lowest bits: conversions are slow. Taken off again as a
// float it would be gone altogether: compilers may see that it was added.
const ROUNDER = 12582912.0;
const ROUNDER_BITS = 0x4b400000u;

fn with_rounder(x: vec4<f32>, inverse: f32) -> vec4<u32> {
  return bitcast<vec4<u32>>(fma(x, vec4<f32>(inverse), vec4<f32>(ROUNDER)));
}

// Bytes h in x, bytes l in y, of four q with the rounder.
fn bytes(q: vec4<u32>) -> vec2<u32> {
  // 256 h + l + 128, so that no borrow leaves the lower byte.
  let whole = q + vec4<u32>(128u);
  let ends = (whole.xy & vec2<u32>(0xffffu)) | (whole.zw << vec2<u32>(16u));
  return vec2<u32>(
    ((ends.x >> 8u) & 0x00ff00ffu) | (ends.y & 0xff00ff00u),
    ((ends.x & 0x00ff00ffu) | ((ends.y & 0x00ff00ffu) << 8u)) ^ 0x80808080u);
}

// Eight q with the rounder, and their sum.
struct Rounded {
  a: vec4<u32>,
  b: vec4<u32>,
  scale: f32,
  sum: f32,
}

// `top`: the largest |x| of all that share the scale.
fn rounded(x: Floats8, top: f32) -> Rounded {
  let inverse = select(0.0, 32512.0 / max(top, 1.0e-30), top > 1.0e-30);
  let a = with_rounder(x.a, inverse);
  let b = with_rounder(x.b, inverse);
  let both = a + b;
  let whole = (both.x + both.y) + (both.z + both.w) - 8u * ROUNDER_BITS;
  return Rounded(a, b, top / 32512.0, f32(bitcast<i32>(whole)));
}

// As w4 codes leave their word: bytes h of even k, h of odd k, l of even k, l of odd k.
fn even_odd_bytes(q: Rounded) -> vec4<u32> {
  let even = bytes(vec4<u32>(q.a.xz, q.b.xz));
  let odd = bytes(vec4<u32>(q.a.yw, q.b.yw));
  return vec4<u32>(even.x, odd.x, even.y, odd.y);
}
