// ROWS rows of activations in workgroup memory, TILE_UNITS units of K at a time, eight k of a row in one piece, in the
// arithmetic of the variant: normalised, and zero beyond K, where other data lies, NaN perhaps.
// Laid out [m][octet of a unit][half][unit], so that threads with neighbouring units read neighbouring 16 bytes.
// Needs: weights, scratch: array<vec4<f32>>, params.in_at, in_stride, norm_at (in vec4); `#import dequant`, `reduce_rows`;
// defines ROWS, K, K_TAIL, NORM, UNIT_K, TILE_UNITS (a multiple of 8), WG_SIZE.

const OCTETS = UNIT_K / 8u;
// Rows of the layout start in different banks, so that the threads that fill it do not wait for each other.
#if F16
const HALVES = 1u;
const PITCH = TILE_UNITS + 2u;
var<workgroup> staged: array<vec4<u32>, ROWS * OCTETS * HALVES * PITCH>;
#else
const HALVES = 2u;
const PITCH = TILE_UNITS + 1u;
var<workgroup> staged: array<vec4<f32>, ROWS * OCTETS * HALVES * PITCH>;
#endif

// Named fields, because registers cannot be indexed; those beyond ROWS stay zero and are never read.
struct Activations {
  m0: Eight,
  m1: Eight,
  m2: Eight,
  m3: Eight,
}

fn inside(x: Floats8, k: u32) -> Floats8 {
#if K_TAIL
  let ks = vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u);
  let a = select(vec4<f32>(), x.a, ks < vec4<u32>(K));
  let b = select(vec4<f32>(), x.b, ks + vec4<u32>(4u) < vec4<u32>(K));
  return Floats8(a, b);
#else
  return x;
#endif
}

fn square(x: Floats8) -> f32 {
  let sum = fma(x.b, x.b, x.a * x.a);
  return (sum.x + sum.y) + (sum.z + sum.w);
}

fn slot(m: u32, unit: u32, octet: u32) -> u32 {
  return (m * OCTETS + octet) * HALVES * PITCH + unit;
}

fn put8(at: u32, x: Floats8) {
#if F16
  let e = eight(x);
  staged[at] = vec4<u32>(bitcast<u32>(e.p0), bitcast<u32>(e.p1), bitcast<u32>(e.p2), bitcast<u32>(e.p3));
#else
  staged[at] = x.a;
  staged[at + PITCH] = x.b;
#endif
}

fn get8(m: u32, unit: u32, octet: u32) -> Eight {
  let at = slot(m, unit, octet);
#if F16
  let p = staged[at];
  return Eight(bitcast<vec2<f16>>(p.x), bitcast<vec2<f16>>(p.y), bitcast<vec2<f16>>(p.z), bitcast<vec2<f16>>(p.w));
#else
  return Eight(staged[at], staged[at + PITCH]);
#endif
}

// Fills the tile that begins with unit `first`; returns this thread's part of the sums of squares.
fn stage(first: u32, index: u32) -> Rows {
  var squares = Rows();
  for (var i = index; i < TILE_UNITS * OCTETS; i += WG_SIZE) {
    let k = first * UNIT_K + i * 8u;
    for (var m = 0u; m < ROWS; m++) {
      var x = Floats8();
      if (k < K) {
        let at = params.in_at + m * params.in_stride + k / 4u;
        x = inside(Floats8(scratch[at], scratch[at + 1u]), k);
#if NORM
#if ROWS == 1
        squares += square(x);
#else
        squares[m] += square(x);
#endif
        let g = params.norm_at + k / 4u;
        x = inside(Floats8(x.a * bitcast<vec4<f32>>(weights[g]), x.b * bitcast<vec4<f32>>(weights[g + 1u])), k);
#endif
      }
      put8(slot(m, i / OCTETS, i % OCTETS), x);
    }
  }
  return squares;
}

fn staged_rows(unit: u32, octet: u32) -> Activations {
  var x = Activations();
  x.m0 = get8(0u, unit, octet);
#if ROWS > 1
  x.m1 = get8(1u, unit, octet);
#endif
#if ROWS > 2
  x.m2 = get8(2u, unit, octet);
#endif
#if ROWS > 3
  x.m3 = get8(3u, unit, octet);
#endif
  return x;
}

fn dots(w: Eight, x: Activations) -> Rows {
#if ROWS == 1
  return dot8(w, x.m0);
#elif ROWS == 2
  return Rows(dot8(w, x.m0), dot8(w, x.m1));
#elif ROWS == 3
  return Rows(dot8(w, x.m0), dot8(w, x.m1), dot8(w, x.m2));
#else
  return Rows(dot8(w, x.m0), dot8(w, x.m1), dot8(w, x.m2), dot8(w, x.m3));
#endif
}
