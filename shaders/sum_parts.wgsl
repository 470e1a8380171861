// What workgroups of gemm_integer.wgsl that share K have left, summed and finished: y[m, n] = sum_s parts[s, m, n]
//   then bias, scale, softcap and residual as in shared/linear_epilogue.wgsl; out[m, n] = y[m, n]
//   NORM: and what integer_rows.wgsl makes of out for the next linear, which norms it, at prepared_at
// parts: f32 [num_parts][M, 4 part_stride] in scratch; out: f32 [M, K], K = N of the linear, with NORM a multiple of 4.
// Thread map: LANES threads, a workgroup, for a row; eight consecutive n each, ITEMS times. All that depends on the order of sums is
// as in integer_rows.wgsl: so are the results.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const WG_SIZE = LANES;
const LAST_FOUR = (K - 1u) / 4u;
#import packed
#import linear_epilogue
#import finished_fours
#import floats8
#if NORM
#import integer_octets
#import inside
#import gained
#import reduce
#endif

fn residual4(m: u32, four: u32) -> vec4<f32> {
  let n = min(four, LAST_FOUR) * 4u;
  return vec4<f32>(residual_of(n, m), residual_of(n + 1u, m), residual_of(n + 2u, m), residual_of(n + 3u, m));
}

fn store4(y: vec4<f32>, m: u32, four: u32) {
#for i in 4
  if (four * 4u + $i < K) {
    store(y[$i], four * 4u + $i, m);
  }
#endfor
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let m = wg.x;
  // What does not depend on the parts comes first: then it need not be waited for.
#for i in ITEMS
  let octet$i = $i * LANES + index;
  let residual$i = Floats8(residual4(m, octet$i * 2u), residual4(m, octet$i * 2u + 1u));
#if NORM
  let gain$i = Floats8(gain4(octet$i * 8u), gain4(octet$i * 8u + 4u));
#endif
#endfor
  let row_at = params.parts_at + m * params.part_stride;
  let stride = params.num_rows * params.part_stride;
#for i in ITEMS
  let a_at$i = row_at + min(octet$i * 2u, LAST_FOUR);
  let b_at$i = row_at + min(octet$i * 2u + 1u, LAST_FOUR);
  var sum$i = Floats8();
#endfor
  // Some parts of all that a thread sums are on their way at a time; none waits behind a store.
  for (var part = 0u; part < params.num_parts; part += TOGETHER) {
#for p in TOGETHER
    let part_at$p = min(part + $p, params.num_parts - 1u) * stride;
#for i in ITEMS
    let a$p$i = scratch[a_at$i + part_at$p];
    let b$p$i = scratch[b_at$i + part_at$p];
#endfor
#endfor
#for p in TOGETHER
    if (part + $p < params.num_parts) {
#for i in ITEMS
      sum$i = Floats8(sum$i.a + a$p$i, sum$i.b + b$p$i);
#endfor
    }
#endfor
  }
#for i in ITEMS
  let y$i = Floats8(finished4(sum$i.a, residual$i.a, octet$i * 2u), finished4(sum$i.b, residual$i.b, octet$i * 2u + 1u));
#endfor
#for i in ITEMS
  store4(y$i.a, m, octet$i * 2u);
  store4(y$i.b, m, octet$i * 2u + 1u);
#endfor
#if NORM
  var squares = 0.0;
#for i in ITEMS
  squares += squares_of(y$i);
#endfor
  let place = PreparedPlace(params.prepared_at, params.num_rows, params.plane_rows);
  let inverse = inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#for i in ITEMS
  put_octet(place, m, octet$i, scaled_octet(y$i, gain$i, inverse));
#endfor
#endif
}
