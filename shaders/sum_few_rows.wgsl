// What sum_parts.wgsl makes of few rows for the next linear, which norms it, but for what the norm divides by: that follows from whole
// rows, of which several workgroups have a part here (shared/integer_norm.wgsl).
//   y[m, n] = sum_s parts[s, m, n], then bias, scale, softcap and residual as in shared/linear_epilogue.wgsl; out[m, n] = y[m, n]
//   and what integer_rows.wgsl, DEFERS, makes of out, at prepared_at
// parts: f32 [num_parts][M, 4 part_stride] in scratch; out: f32 [M, K], K = N of the linear. Rows of everything begin with a vector.
// Thread map: workgroup (i, j) takes row i, 4 LANES columns from 4 LANES j on. A thread sums four of them over every SHARES-th part;
// then it has eight, as each LANES / 2 threads do, of which the first write.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const WG_SIZE = LANES * SHARES;
const HALF_LANES = LANES / 2u;
const LAST_FOUR = (K - 1u) / 4u;
var<workgroup> cells: array<vec4<f32>, WG_SIZE>;
#import packed
#import linear_epilogue
#import finished_fours
#import integer_octets
#import inside
#import gained

fn residual4(m: u32, four: u32) -> vec4<f32> {
#if RESIDUAL
  return scratch[(params.residual_at + m * params.out_stride) / 4u + min(four, LAST_FOUR)];
#else
  return vec4<f32>();
#endif
}

// Sums of four neighbouring n over a share of the parts, two of them on their way at a time: more code takes longer to come than it saves.
fn share_sum(m: u32, four: u32, share: u32) -> vec4<f32> {
  let at = params.parts_at + m * params.part_stride + min(four, LAST_FOUR);
  let stride = params.num_rows * params.part_stride;
  var sum = vec4<f32>();
  for (var part = share; part < params.num_parts; part += 2u * SHARES) {
    let first = scratch[at + part * stride];
    let second = scratch[at + min(part + SHARES, params.num_parts - 1u) * stride];
    sum += first + select(vec4<f32>(), second, part + SHARES < params.num_parts);
  }
  return sum;
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let m = wg.x;
  let lane = index % HALF_LANES;
  let octet = wg.y * HALF_LANES + lane;
  // What does not depend on the parts comes first: then it need not be waited for.
  let residual = Floats8(residual4(m, octet * 2u), residual4(m, octet * 2u + 1u));
  let gain = Floats8(gain4(octet * 8u), gain4(octet * 8u + 4u));
  cells[index] = share_sum(m, wg.y * LANES + index % LANES, index / LANES);
  workgroupBarrier();
  var sum = Floats8();
  for (var share = 0u; share < SHARES; share++) {
    let cell = share * LANES + 2u * lane;
    sum = Floats8(sum.a + cells[cell], sum.b + cells[cell + 1u]);
  }
  let y = Floats8(finished4(sum.a, residual.a, octet * 2u), finished4(sum.b, residual.b, octet * 2u + 1u));
  // One half of LANES writes the first fours, the other the second ones.
  let is_first = index < HALF_LANES;
  let four = octet * 2u + select(1u, 0u, is_first);
  if (index < LANES && four <= LAST_FOUR) {
    scratch[(params.out_at + m * params.out_stride) / 4u + four] = select(y.b, y.a, is_first);
  }
  let place = PreparedPlace(params.prepared_at, params.num_rows, params.plane_rows);
  let own = select(OCTETS, octet, is_first);
  put_octet(place, m, own, scaled_octet(y, gain, 1.0));
  put_squares(place, m, own, squares_of(y));
}
