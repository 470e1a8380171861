// GEMV, one to four rows of activations: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM: x[m, k] stands for x * g[k] * rsqrt(mean_k(x^2) + eps); the squares are summed while x is staged
//   then bias, gate, scale, softcap and residual as in shared/linear_epilogue.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [ROWS, K] in scratch; out: f32 [ROWS, N] (gated: [ROWS, N / 2]).
// Thread map: LANES threads share R weight rows and cut K between them. A thread's unit is one 16-byte load of each row:
// 32 | 16 | 8 consecutive k of w4 | w8 | w16, so that neighbours read neighbouring 16 bytes. A workgroup of WG_SIZE threads
// has WG_SIZE / LANES such groups, which share the staged x; the codes of the next unit are on their way while one is
// multiplied. Gated: the first half of the R rows lie in [0, N / 2), the second half are their partners, N / 2 further on.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const UNIT_K = 128u / BITS;
#import packed
#import dequant
#import reduce_rows
#import activations
#import linear_epilogue

// Named fields, because registers cannot be indexed; those beyond R stay zero and are never read.
struct Codes {
  r0: vec4<u32>,
  r1: vec4<u32>,
  r2: vec4<u32>,
  r3: vec4<u32>,
}

struct Scales {
  r0: Scale,
  r1: Scale,
  r2: Scale,
  r3: Scale,
}

struct Sums {
  r0: Rows,
  r1: Rows,
  r2: Rows,
  r3: Rows,
}

struct Products {
  r0: Parts,
  r1: Parts,
  r2: Parts,
  r3: Parts,
}

// Eight k of R weight rows against all rows of x.
fn octet(x: Activations, o0: Octet, o1: Octet, o2: Octet, o3: Octet, s: Scales, before: Products) -> Products {
  var p = before;
  p.r0 = add_rows(dequant8(o0, s.r0.zero), x, p.r0);
#if R > 1
  p.r1 = add_rows(dequant8(o1, s.r1.zero), x, p.r1);
#endif
#if R > 2
  p.r2 = add_rows(dequant8(o2, s.r2.zero), x, p.r2);
  p.r3 = add_rows(dequant8(o3, s.r3.zero), x, p.r3);
#endif
  return p;
}

// This thread's weight row number r, bounded so that a surplus thread reads something that exists.
fn weight_row(base: u32, r: u32) -> u32 {
#if GATE > 0
  return min(base + r % (R / 2u), params.rows / 2u - 1u) + (r / (R / 2u)) * (params.rows / 2u);
#else
  return min(base + r, params.rows - 1u);
#endif
}

fn load_codes(unit: u32, rows: vec4<u32>) -> Codes {
  let at = params.codes_at + min(unit, UNITS - 1u);
  var c = Codes();
  c.r0 = weights[at + rows.x * STRIDE];
#if R > 1
  c.r1 = weights[at + rows.y * STRIDE];
#endif
#if R > 2
  c.r2 = weights[at + rows.z * STRIDE];
  c.r3 = weights[at + rows.w * STRIDE];
#endif
  return c;
}

fn load_scales(unit: u32, rows: vec4<u32>) -> Scales {
  let at = params.scales_at + min(unit, UNITS - 1u) * UNIT_K / GROUP_SIZE;
  var s = Scales();
  s.r0 = scale_at(at + rows.x * NUM_GROUPS);
#if R > 1
  s.r1 = scale_at(at + rows.y * NUM_GROUPS);
#endif
#if R > 2
  s.r2 = scale_at(at + rows.z * NUM_GROUPS);
  s.r3 = scale_at(at + rows.w * NUM_GROUPS);
#endif
  return s;
}

// The products of one unit; `unit` counts from the start of the staged tile.
fn unit_sums(unit: u32, c: Codes, s: Scales) -> Sums {
  var p = Products();
#if BITS == 4
  p = octet(staged_rows(unit, 0u), c.r0.x, c.r1.x, c.r2.x, c.r3.x, s, p);
  p = octet(staged_rows(unit, 1u), c.r0.y, c.r1.y, c.r2.y, c.r3.y, s, p);
  p = octet(staged_rows(unit, 2u), c.r0.z, c.r1.z, c.r2.z, c.r3.z, s, p);
  p = octet(staged_rows(unit, 3u), c.r0.w, c.r1.w, c.r2.w, c.r3.w, s, p);
#elif BITS == 8
  p = octet(staged_rows(unit, 0u), c.r0.xy, c.r1.xy, c.r2.xy, c.r3.xy, s, p);
  p = octet(staged_rows(unit, 1u), c.r0.zw, c.r1.zw, c.r2.zw, c.r3.zw, s, p);
#else
  p = octet(staged_rows(unit, 0u), c.r0, c.r1, c.r2, c.r3, s, p);
#endif
  let count = counted_rows(unit);
  var sums = Sums();
  sums.r0 = s.r0.s * (part_sums(p.r0) - s.r0.rest * count);
#if R > 1
  sums.r1 = s.r1.s * (part_sums(p.r1) - s.r1.rest * count);
#endif
#if R > 2
  sums.r2 = s.r2.s * (part_sums(p.r2) - s.r2.rest * count);
  sums.r3 = s.r3.s * (part_sums(p.r3) - s.r3.rest * count);
#endif
  return sums;
}

fn output(y: Sums, r: u32, m: u32) -> f32 {
  var rows = y.r0;
#if R > 1
  rows = select(rows, y.r1, r == 1u);
#endif
#if R > 2
  rows = select(select(rows, y.r2, r == 2u), y.r3, r == 3u);
#endif
#if ROWS == 1
  return rows;
#else
  return rows[m];
#endif
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let base = ((wg.x + wg.y * GRID_WIDTH) * (WG_SIZE / LANES) + index / LANES) * OUTPUTS;
  let rows = vec4<u32>(weight_row(base, 0u), weight_row(base, 1u), weight_row(base, 2u), weight_row(base, 3u));
  var codes = load_codes(lane, rows);
  var scales = load_scales(lane, rows);
  var y = Sums();
  var squares = Rows();
  for (var first = 0u; first < UNITS; first += TILE_UNITS) {
    if (first > 0u) {
      workgroupBarrier();
    }
    squares += stage(first, index);
    workgroupBarrier();
    for (var i = 0u; i < min(TILE_UNITS, UNITS - first); i += LANES) {
      let next = first + i + LANES + lane;
      let next_codes = load_codes(next, rows);
      let next_scales = load_scales(next, rows);
      let part = unit_sums(i + lane, codes, scales);
      y.r0 += part.r0;
      y.r1 += part.r1;
      y.r2 += part.r2;
      y.r3 += part.r3;
      codes = next_codes;
      scales = next_scales;
    }
  }
#if NORM
  let inverse = inverseSqrt(rows_total(squares, index) / f32(K) + params.eps);
#else
  let inverse = 1.0;
#endif
  y.r0 = inverse * rows_sum(y.r0, index);
#if R > 1
  y.r1 = inverse * rows_sum(y.r1, index);
#endif
#if R > 2
  y.r2 = inverse * rows_sum(y.r2, index);
  y.r3 = inverse * rows_sum(y.r3, index);
#endif
  // The outputs go to different lanes: one lane would wait for each residual in turn.
  for (var i = lane; i < OUTPUTS * ROWS; i += LANES) {
    let r = i / ROWS;
    let m = i % ROWS;
#if GATE > 0
    if (base + r < params.rows / 2u) {
      finish_gated(output(y, r, m), output(y, r + OUTPUTS, m), base + r, m);
    }
#else
    if (base + r < params.rows) {
      finish(output(y, r, m), base + r, m);
    }
#endif
  }
}
