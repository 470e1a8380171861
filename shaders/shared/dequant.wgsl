// Eight weights of one row at a time, in the arithmetic of the variant. Needs: weights, `#import packed`,
// `activations`; defines BITS.
//   f32  Eight = two vec4<f32>, k and k+4 ..
//   f16  Eight = four pairs in the order in which the codes leave their word, of value (u - round(z)) / FOLD
// A code becomes a float without a conversion: its bits go into the mantissa of a constant whose unit they then are,
// (bits(256.0) | u << 15) = 256 + u. What then is too much is taken off each weight where it is large beside u, and
// off the sum of the products where it is not: y = s * (sum of w * x  -  rest * sum of x over `counted` k).
//   f32  w4: even k give u - z, odd k give 16 + u and are counted; w8: all give 256 + u and are counted
//   f16  only a whole z can be taken off, so the rest of z is left for all k. FOLD keeps (u - z) * x inside the range of
//        f16 for any half x.

struct Scale {
  s: f32,
  rest: f32,
  zero: Zero,
}

#if BITS == 4
alias Octet = u32;
const FOLD = 16.0;
#elif BITS == 8
alias Octet = vec2<u32>;
const FOLD = 1024.0;
#else
alias Octet = vec4<u32>;
#endif

#if F16
struct Eight {
  p0: vec2<f16>,
  p1: vec2<f16>,
  p2: vec2<f16>,
  p3: vec2<f16>,
}
#if BITS == 4
alias Zero = vec2<f16>;
#elif BITS == 8
alias Zero = f16;
#else
alias Zero = f32;
#endif
// Partial sums of one row: as many as there are chains.
alias Part = vec2<f32>;
#else
alias Eight = Floats8;
alias Zero = f32;
alias Part = vec4<f32>;
#endif

fn scale_at(index: u32) -> Scale {
#if BITS == 16
  return Scale(1.0, 0.0, 0.0);
#elif F16
  let sz = scale_zero(index);
  let whole = round(sz.y);
#if BITS == 4
  let zero = vec2<f16>(vec2<f32>(64.0, 4.0) + vec2<f32>(whole / FOLD));
#else
  let zero = f16(1.0 + whole / FOLD);
#endif
  return Scale(sz.x * FOLD, (sz.y - whole) / FOLD, zero);
#else
  let sz = scale_zero(index);
#if BITS == 4
  return Scale(sz.x, 16.0 + sz.y, 256.0 + sz.y);
#else
  return Scale(sz.x, 256.0 + sz.y, 0.0);
#endif
#endif
}

fn counted(x: Floats8) -> f32 {
#if F16 || BITS == 8
  let sum = x.a + x.b;
  return (sum.x + sum.y) + (sum.z + sum.w);
#else
  return (x.a.y + x.a.w) + (x.b.y + x.b.w);
#endif
}

#if F16

#if BITS == 4
fn dequant8(o: u32, zero: vec2<f16>) -> Eight {
  let h = o >> 8u;
  let low = vec2<f16>(zero.x);
  let high = vec2<f16>(zero.y);
  return Eight(
    bitcast<vec2<f16>>((o & 0x000f000fu) | 0x54005400u) - low,
    bitcast<vec2<f16>>((o & 0x00f000f0u) | 0x44004400u) - high,
    bitcast<vec2<f16>>((h & 0x000f000fu) | 0x54005400u) - low,
    bitcast<vec2<f16>>((h & 0x00f000f0u) | 0x44004400u) - high);
}
fn eight(x: Floats8) -> Eight {
  return Eight(
    vec2<f16>(vec2<f32>(x.a.x, x.b.x)), vec2<f16>(vec2<f32>(x.a.y, x.b.y)),
    vec2<f16>(vec2<f32>(x.a.z, x.b.z)), vec2<f16>(vec2<f32>(x.a.w, x.b.w)));
}
#elif BITS == 8
fn bytes2(word: u32, zero: f16) -> vec2<f16> {
  return bitcast<vec2<f16>>((word & 0x00ff00ffu) | 0x3c003c00u) - vec2<f16>(zero);
}
fn dequant8(o: vec2<u32>, zero: f16) -> Eight {
  return Eight(bytes2(o.x, zero), bytes2(o.x >> 8u, zero), bytes2(o.y, zero), bytes2(o.y >> 8u, zero));
}
fn eight(x: Floats8) -> Eight {
  return Eight(vec2<f16>(x.a.xz), vec2<f16>(x.a.yw), vec2<f16>(x.b.xz), vec2<f16>(x.b.yw));
}
#else
fn dequant8(o: vec4<u32>, zero: f32) -> Eight {
  return Eight(bitcast<vec2<f16>>(o.x), bitcast<vec2<f16>>(o.y), bitcast<vec2<f16>>(o.z), bitcast<vec2<f16>>(o.w));
}
fn eight(x: Floats8) -> Eight {
  return Eight(vec2<f16>(x.a.xy), vec2<f16>(x.a.zw), vec2<f16>(x.b.xy), vec2<f16>(x.b.zw));
}
#endif

// Chains of four in f16, the rest in f32.
fn add8(w: Eight, x: Eight, part: Part) -> Part {
  return part + vec2<f32>(fma(w.p3, x.p3, fma(w.p2, x.p2, fma(w.p1, x.p1, w.p0 * x.p0))));
}

fn part_sum(part: Part) -> f32 {
  return part.x + part.y;
}

#else

fn eight(x: Floats8) -> Eight {
  return x;
}

#if BITS == 4
const NIBBLE_MASK = vec4<u32>(0x00078000u, 0x00780000u, 0x00078000u, 0x00780000u);
const NIBBLE_BASE = vec4<u32>(0x43800000u, 0x41800000u, 0x43800000u, 0x41800000u);
fn nibbles4(shifted: vec4<u32>, zero: f32) -> vec4<f32> {
  let w = bitcast<vec4<f32>>((shifted & NIBBLE_MASK) | NIBBLE_BASE);
  return vec4<f32>(w.x - zero, w.y, w.z - zero, w.w);
}
fn dequant8(o: u32, zero: f32) -> Eight {
  return Eight(
    nibbles4(vec4<u32>(vec2<u32>(o << 15u), vec2<u32>(o << 7u)), zero),
    nibbles4(vec4<u32>(vec2<u32>(o >> 1u), vec2<u32>(o >> 9u)), zero));
}
#elif BITS == 8
#import byte_floats
fn dequant8(o: vec2<u32>, zero: f32) -> Eight {
  return Eight(byte_floats(o.x), byte_floats(o.y));
}
#else
fn dequant8(o: vec4<u32>, zero: f32) -> Eight {
  return Eight(
    vec4<f32>(unpack2x16float(o.x), unpack2x16float(o.y)), vec4<f32>(unpack2x16float(o.z), unpack2x16float(o.w)));
}
#endif

fn add8(w: Eight, x: Eight, part: Part) -> Part {
  return fma(w.b, x.b, fma(w.a, x.a, part));
}

fn part_sum(part: Part) -> f32 {
  return (part.x + part.y) + (part.z + part.w);
}

#endif
