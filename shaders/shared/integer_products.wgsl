// Products of W4 codes with staged units (shared/integer_units.wgsl says what these are). Needs: `#import packed`.

struct Scale {
  s: f32,
  z: f32,
}

fn scale_at(index: u32) -> Scale {
  let sz = scale_zero(index);
  return Scale(sz.x, sz.y);
}

// Adds to (sum u h, sum u l) the products of eight codes that are bytes already.
fn dot_bytes(even: u32, odd: u32, x: vec4<u32>, before: vec2<i32>) -> vec2<i32> {
  return before + vec2<i32>(
    dot4I8Packed(even, x.x) + dot4I8Packed(odd, x.y),
    dot4I8Packed(even, x.z) + dot4I8Packed(odd, x.w));
}

fn dot8(word: u32, x: vec4<u32>, before: vec2<i32>) -> vec2<i32> {
  return dot_bytes(word & 0x0f0f0f0fu, (word >> 4u) & 0x0f0f0f0fu, x, before);
}

fn unit_total(s: Scale, hl: vec2<i32>, scales: vec2<f32>) -> f32 {
  return s.s * (scales.x * f32(hl.x * 256 + hl.y) - s.z * scales.y);
}
