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
#import linear_epilogue

const UNIT_K = 128u / BITS;

// Named fields, because registers cannot be indexed; those beyond R and ROWS stay zero and are never read.
struct Activations {
  m0: Eight,
  m1: Eight,
  m2: Eight,
  m3: Eight,
  squares: Rows,
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
  squares: Rows,
}

// Beyond K lies other data, NaN perhaps: it is replaced, not multiplied away.
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

fn load8(m: u32, k: u32) -> Floats8 {
  let at = params.in_at + m * params.in_stride + k / 4u;
  return inside(Floats8(scratch[at], scratch[at + 1u]), k);
}

fn gained(x: Floats8, k: u32) -> Floats8 {
#if NORM
  let at = params.norm_at + k / 4u;
  return inside(Floats8(x.a * bitcast<vec4<f32>>(weights[at]), x.b * bitcast<vec4<f32>>(weights[at + 1u])), k);
#else
  return x;
#endif
}

fn square(x: Floats8) -> f32 {
  let sum = fma(x.b, x.b, x.a * x.a);
  return (sum.x + sum.y) + (sum.z + sum.w);
}

fn load_rows(k: u32) -> Activations {
  var x = Activations();
  let f0 = load8(0u, k);
  x.m0 = eight(gained(f0, k));
#if ROWS > 1
  let f1 = load8(1u, k);
  x.m1 = eight(gained(f1, k));
#endif
#if ROWS > 2
  let f2 = load8(2u, k);
  x.m2 = eight(gained(f2, k));
#endif
#if ROWS > 3
  let f3 = load8(3u, k);
  x.m3 = eight(gained(f3, k));
#endif
#if NORM && ROWS == 1
  x.squares = square(f0);
#elif NORM && ROWS == 2
  x.squares = Rows(square(f0), square(f1));
#elif NORM && ROWS == 3
  x.squares = Rows(square(f0), square(f1), square(f2));
#elif NORM
  x.squares = Rows(square(f0), square(f1), square(f2), square(f3));
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
