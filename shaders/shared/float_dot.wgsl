// The floating-point half of gemv: ROWS rows of activations in workgroup memory, TILE_UNITS units of K at a time, eight k of a
// row in one piece, in the arithmetic of the variant. Behind the pieces of a unit stand the sums that dequant.wgsl counts, one
// for each piece; they also keep neighbouring units in different banks.
// Needs: `#import activations`, `dequant`, `reduce_rows`; defines ROWS, K, NORM, UNIT_K, TILE_UNITS, WG_SIZE.

const OCTETS = UNIT_K / 8u;
#if F16
var<workgroup> staged: array<array<vec4<u32>, OCTETS + 1u>, ROWS * TILE_UNITS>;
#else
var<workgroup> staged: array<array<vec4<f32>, 2u * OCTETS + 1u>, ROWS * TILE_UNITS>;
#endif

// Named fields, because registers cannot be indexed; those beyond ROWS stay zero and are never read.
struct Activations {
  m0: Eight,
  m1: Eight,
  m2: Eight,
  m3: Eight,
}

struct Parts {
  m0: Part,
  m1: Part,
  m2: Part,
  m3: Part,
}

fn put8(at: u32, octet: u32, x: Floats8) {
#if F16
  let e = eight(x);
  staged[at][octet] =
    vec4<u32>(bitcast<u32>(e.p0), bitcast<u32>(e.p1), bitcast<u32>(e.p2), bitcast<u32>(e.p3));
  staged[at][OCTETS][octet] = bitcast<u32>(counted(x));
#else
  staged[at][2u * octet] = x.a;
  staged[at][2u * octet + 1u] = x.b;
  staged[at][2u * OCTETS][octet] = counted(x);
#endif
}

fn get8(at: u32, octet: u32) -> Eight {
#if F16
  let p = staged[at][octet];
  return Eight(bitcast<vec2<f16>>(p.x), bitcast<vec2<f16>>(p.y), bitcast<vec2<f16>>(p.z), bitcast<vec2<f16>>(p.w));
#else
  return Eight(staged[at][2u * octet], staged[at][2u * octet + 1u]);
#endif
}

// The sum over the counted k of a unit.
fn counted_at(at: u32) -> f32 {
#if F16
  let sums = bitcast<vec4<f32>>(staged[at][OCTETS]);
#else
  let sums = staged[at][2u * OCTETS];
#endif
#if BITS == 4
  return (sums.x + sums.y) + (sums.z + sums.w);
#elif BITS == 8
  return sums.x + sums.y;
#else
  return 0.0;
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
      put8(m * TILE_UNITS + i / OCTETS, i % OCTETS, x);
    }
  }
  return squares;
}

fn staged_rows(unit: u32, octet: u32) -> Activations {
  var x = Activations();
  x.m0 = get8(unit, octet);
#if ROWS > 1
  x.m1 = get8(TILE_UNITS + unit, octet);
#endif
#if ROWS > 2
  x.m2 = get8(2u * TILE_UNITS + unit, octet);
#endif
#if ROWS > 3
  x.m3 = get8(3u * TILE_UNITS + unit, octet);
#endif
  return x;
}

fn counted_rows(unit: u32) -> Rows {
#if ROWS == 1
  return counted_at(unit);
#elif ROWS == 2
  return Rows(counted_at(unit), counted_at(TILE_UNITS + unit));
#elif ROWS == 3
  return Rows(counted_at(unit), counted_at(TILE_UNITS + unit), counted_at(2u * TILE_UNITS + unit));
#else
  return Rows(
    counted_at(unit), counted_at(TILE_UNITS + unit),
    counted_at(2u * TILE_UNITS + unit), counted_at(3u * TILE_UNITS + unit));
#endif
}

fn add_rows(w: Eight, x: Activations, parts: Parts) -> Parts {
  var p = parts;
  p.m0 = add8(w, x.m0, p.m0);
#if ROWS > 1
  p.m1 = add8(w, x.m1, p.m1);
#endif
#if ROWS > 2
  p.m2 = add8(w, x.m2, p.m2);
#endif
#if ROWS > 3
  p.m3 = add8(w, x.m3, p.m3);
#endif
  return p;
}

fn part_sums(p: Parts) -> Rows {
#if ROWS == 1
  return part_sum(p.m0);
#elif ROWS == 2
  return Rows(part_sum(p.m0), part_sum(p.m1));
#elif ROWS == 3
  return Rows(part_sum(p.m0), part_sum(p.m1), part_sum(p.m2));
#else
  return Rows(part_sum(p.m0), part_sum(p.m1), part_sum(p.m2), part_sum(p.m3));
#endif
}

// Eight k of one weight row against all rows of x.
fn octet_sums(o: Octet, s: Scale, unit: u32, octet: u32, before: Parts) -> Parts {
  return add_rows(dequant8(o, s.zero), staged_rows(unit, octet), before);
}

// sum w x over a unit of one weight row and all rows of activations.
fn row_sums(codes: vec4<u32>, s: Scale, unit: u32) -> Rows {
#if BITS == 4
  var p = octet_sums(codes.x, s, unit, 0u, Parts());
  p = octet_sums(codes.y, s, unit, 1u, p);
  p = octet_sums(codes.z, s, unit, 2u, p);
  p = octet_sums(codes.w, s, unit, 3u, p);
#elif BITS == 8
  var p = octet_sums(codes.xy, s, unit, 0u, Parts());
  p = octet_sums(codes.zw, s, unit, 1u, p);
#else
  let p = octet_sums(codes, s, unit, 0u, Parts());
#endif
  return s.s * (part_sums(p) - s.rest * counted_rows(unit));
}
