// The W4 half of gemv: activations in 16-bit integers, products in the integer dot product of four bytes, which does eight
// weights in a third of the instructions that floats take. A unit of 32 k has one scale: x ~ scale * q, |q| <= 32512, so
// the error is at most 2^-16 of the unit's largest |x|, far below the 2^-11 of f16.
//   q = 256 h + l, h and l signed bytes;  sum w x = s * scale * (256 sum u h + sum u l - z * sum q)
// A staged unit: for each word of codes (k .. k+7) the bytes (h of even k, h of odd k, l of even k, l of odd k), as codes
// leave their word in nibbles of even and of odd k; then (scale, scale * sum q). Its 80 bytes keep neighbouring units in
// different banks.
// Needs: `#import activations`, `packed`, `quads`, `reduce_rows`; defines ROWS, K, NORM, TILE_UNITS, WG_SIZE.

var<workgroup> staged: array<array<vec4<u32>, 5>, ROWS * TILE_UNITS>;

struct Scale {
  s: f32,
  z: f32,
}

fn scale_at(index: u32) -> Scale {
  let sz = scale_zero(index);
  return Scale(sz.x, sz.y);
}

fn largest(x: vec4<f32>) -> f32 {
  return max(max(abs(x.x), abs(x.y)), max(abs(x.z), abs(x.w)));
}

fn sum4(x: vec4<f32>) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

// Four k of one parity: bytes h in x, bytes l in y.
fn bytes(q: vec4<f32>) -> vec2<u32> {
  let whole = vec4<i32>(q);
  let high = (whole + vec4<i32>(128)) >> vec4<u32>(8u);
  return vec2<u32>(pack4xI8(high), pack4xI8(whole - (high << vec4<u32>(8u))));
}

// Fills the tile that begins with unit `first`; returns this thread's part of the sums of squares. All threads call.
fn stage(first: u32, index: u32) -> Rows {
  var squares = Rows();
  for (var start = 0u; start < TILE_UNITS * 4u; start += WG_SIZE) {
    let i = start + index;
    let k = first * 32u + i * 8u;
    for (var m = 0u; m < ROWS; m++) {
      var x = Floats8();
      if (i < TILE_UNITS * 4u && k < K) {
        x = load8(k, m);
#if NORM
#if ROWS == 1
        squares += square(x);
#else
        squares[m] += square(x);
#endif
        x = gained8(x, k);
#endif
      }
      let top = quad_max(max(largest(x.a), largest(x.b)), index);
      let scale = top / 32512.0;
      let inverse = select(0.0, 32512.0 / max(top, 1.0e-30), top > 1.0e-30);
      let a = round(x.a * inverse);
      let b = round(x.b * inverse);
      let sum = quad_sum(sum4(a) + sum4(b), index);
      if (i < TILE_UNITS * 4u) {
        let even = bytes(vec4<f32>(a.xz, b.xz));
        let odd = bytes(vec4<f32>(a.yw, b.yw));
        let unit = m * TILE_UNITS + i / 4u;
        staged[unit][i % 4u] = vec4<u32>(even.x, odd.x, even.y, odd.y);
        if (i % 4u == 0u) {
          staged[unit][4] = vec4<u32>(bitcast<u32>(scale), bitcast<u32>(scale * sum), 0u, 0u);
        }
      }
    }
  }
  return squares;
}

fn dot8(word: u32, x: vec4<u32>, before: vec2<i32>) -> vec2<i32> {
  let even = word & 0x0f0f0f0fu;
  let odd = (word >> 4u) & 0x0f0f0f0fu;
  return before + vec2<i32>(
    dot4I8Packed(even, x.x) + dot4I8Packed(odd, x.y),
    dot4I8Packed(even, x.z) + dot4I8Packed(odd, x.w));
}

// sum w x over a unit of one weight row and one row of activations.
fn unit_row(codes: vec4<u32>, s: Scale, at: u32) -> f32 {
  var hl = dot8(codes.x, staged[at][0], vec2<i32>());
  hl = dot8(codes.y, staged[at][1], hl);
  hl = dot8(codes.z, staged[at][2], hl);
  hl = dot8(codes.w, staged[at][3], hl);
  let scales = bitcast<vec2<f32>>(staged[at][4].xy);
  return s.s * (scales.x * f32(hl.x * 256 + hl.y) - s.z * scales.y);
}

fn row_sums(codes: vec4<u32>, s: Scale, unit: u32) -> Rows {
#if ROWS == 1
  return unit_row(codes, s, unit);
#elif ROWS == 2
  return Rows(unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit));
#elif ROWS == 3
  return Rows(unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit), unit_row(codes, s, 2u * TILE_UNITS + unit));
#else
  return Rows(
    unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit),
    unit_row(codes, s, 2u * TILE_UNITS + unit), unit_row(codes, s, 3u * TILE_UNITS + unit));
#endif
}
