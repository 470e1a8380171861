// GEMV, one to four rows of activations: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM: x[m, k] stands for x * g[k] * rsqrt(mean_k(x^2) + eps); the squares are summed in the same loop over k
//   then bias, gate, scale, softcap and residual as in shared/linear_epilogue.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [ROWS, K] in scratch; out: f32 [ROWS, N] (gated: [ROWS, N / 2]).
// Thread map: LANES threads share R weight rows and cut K between them. A thread's unit is one 16-byte load of each row:
// 32 | 16 | 8 consecutive k of w4 | w8 | w16, so that neighbours read neighbouring 16 bytes, and x is loaded once for R
// rows. A workgroup of WG_SIZE threads has WG_SIZE / LANES such groups. Gated: the first half of the R rows lie in
// [0, N / 2), the second half are their partners, N / 2 further on.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import dequant
#import reduce_rows
#import activations
#import linear_epilogue

const UNIT_K = 128u / BITS;

// Named fields, because registers cannot be indexed; those beyond R stay zero and are never read.
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
  squares: Rows,
}

// Eight k of R weight rows against all rows of x.
fn octet(k: u32, o0: Octet, o1: Octet, o2: Octet, o3: Octet, s: Scales, sums: ptr<function, Sums>) {
  let x = load_rows(k);
  (*sums).squares += x.squares;
  (*sums).r0 += dots(dequant8(o0, s.r0.zero), x);
#if R > 1
  (*sums).r1 += dots(dequant8(o1, s.r1.zero), x);
#endif
#if R > 2
  (*sums).r2 += dots(dequant8(o2, s.r2.zero), x);
  (*sums).r3 += dots(dequant8(o3, s.r3.zero), x);
#endif
}

// rest * sum of x over a unit. The loads are repeated only for zero points that are not whole.
fn rest_of(scale: Scale, first: u32) -> Rows {
  var sums = Rows();
#if F16 && BITS != 16
  if (scale.rest != 0.0) {
    for (var m = 0u; m < ROWS; m++) {
      var sum = vec4<f32>();
      for (var k = first; k < first + UNIT_K; k += 8u) {
        let x = gained(load8(m, k), k);
        sum += x.a + x.b;
      }
#if ROWS == 1
      sums = dot(sum, vec4<f32>(1.0));
#else
      sums[m] = dot(sum, vec4<f32>(1.0));
#endif
    }
  }
#endif
  return scale.rest * sums;
}

// This thread's weight row number r, bounded so that a surplus thread reads something that exists.
fn weight_row(base: u32, r: u32) -> u32 {
#if GATE > 0
  return min(base + r % (R / 2u), params.rows / 2u - 1u) + (r / (R / 2u)) * (params.rows / 2u);
#else
  return min(base + r, params.rows - 1u);
#endif
}

fn group_scale(row: u32, k: u32) -> Scale {
  return scale_at(params.scales_at + row * NUM_GROUPS + k / GROUP_SIZE);
}

fn unit_sums(unit: u32, row0: u32, row1: u32, row2: u32, row3: u32) -> Sums {
  let k = unit * UNIT_K;
  let at = params.codes_at + unit;
  let c0 = weights[at + row0 * STRIDE];
  var c1 = vec4<u32>();
  var c2 = vec4<u32>();
  var c3 = vec4<u32>();
  var s = Scales();
#if R > 1
  c1 = weights[at + row1 * STRIDE];
#endif
#if R > 2
  c2 = weights[at + row2 * STRIDE];
  c3 = weights[at + row3 * STRIDE];
#endif
  s.r0 = group_scale(row0, k);
#if R > 1
  s.r1 = group_scale(row1, k);
#endif
#if R > 2
  s.r2 = group_scale(row2, k);
  s.r3 = group_scale(row3, k);
#endif
  var sums = Sums();
#if BITS == 4
  octet(k, c0.x, c1.x, c2.x, c3.x, s, &sums);
  octet(k + 8u, c0.y, c1.y, c2.y, c3.y, s, &sums);
  octet(k + 16u, c0.z, c1.z, c2.z, c3.z, s, &sums);
  octet(k + 24u, c0.w, c1.w, c2.w, c3.w, s, &sums);
#elif BITS == 8
  octet(k, c0.xy, c1.xy, c2.xy, c3.xy, s, &sums);
  octet(k + 8u, c0.zw, c1.zw, c2.zw, c3.zw, s, &sums);
#else
  octet(k, c0, c1, c2, c3, s, &sums);
#endif
  sums.r0 = s.r0.s * (sums.r0 - rest_of(s.r0, k));
#if R > 1
  sums.r1 = s.r1.s * (sums.r1 - rest_of(s.r1, k));
#endif
#if R > 2
  sums.r2 = s.r2.s * (sums.r2 - rest_of(s.r2, k));
  sums.r3 = s.r3.s * (sums.r3 - rest_of(s.r3, k));
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
  let row0 = weight_row(base, 0u);
  let row1 = weight_row(base, 1u);
  let row2 = weight_row(base, 2u);
  let row3 = weight_row(base, 3u);
  var y = Sums();
  for (var unit = lane; unit < UNITS; unit += LANES) {
    let part = unit_sums(unit, row0, row1, row2, row3);
    y.r0 += part.r0;
    y.r1 += part.r1;
    y.r2 += part.r2;
    y.r3 += part.r3;
    y.squares += part.squares;
  }
#if NORM
  let inverse = inverseSqrt(rows_sum(y.squares, index) / f32(K) + params.eps);
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
