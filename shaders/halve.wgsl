// Activations as gemm_matrix.wgsl takes them: f32 [rows, K] to f16 [rows, PADDED_K], every eight k of a row in the order in which
// codes of the weight leave their word (w4: 0 4 1 5 2 6 3 7, w8: 0 2 1 3 4 6 5 7, w16: as they are), zero from K on.
// NORM: of x[r, k] * g[k] * rsqrt(mean_k(x[r]^2) + eps)
// Thread map: LANES threads share a row, eight consecutive k at a time; WG_SIZE / LANES rows a workgroup. Workgroups (i, j) share the
// columns of rows; with a norm there is one for all, which it has to see.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<u32>>;
const OCTETS = PADDED_K / 8u;
#import normed_row

fn pair(x: f32, y: f32) -> u32 {
  return pack2x16float(vec2<f32>(x, y));
}

// Outside the range of half there would be infinities.
fn halves_of(x: Floats8) -> vec4<u32> {
  let p = clamp(x.a, vec4<f32>(-65504.0), vec4<f32>(65504.0));
  let q = clamp(x.b, vec4<f32>(-65504.0), vec4<f32>(65504.0));
#if BITS == 4
  return vec4<u32>(pair(p.x, q.x), pair(p.y, q.y), pair(p.z, q.z), pair(p.w, q.w));
#elif BITS == 8
  return vec4<u32>(pair(p.x, p.z), pair(p.y, p.w), pair(q.x, q.z), pair(q.y, q.w));
#else
  return vec4<u32>(pair(p.x, p.y), pair(p.z, p.w), pair(q.x, q.y), pair(q.z, q.w));
#endif
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = index % LANES;
  let row = wg.x * (WG_SIZE / LANES) + index / LANES;
  // Surplus threads sum the last row again, so that all meet in the reduction.
  let inverse = inverse_norm(min(row, params.num_rows - 1u), lane, index);
  if (row >= params.num_rows) {
    return;
  }
  for (var octet = wg.y * LANES + lane; octet < OCTETS; octet += grid.y * LANES) {
    scratch[params.prepared_at + row * OCTETS + octet] = halves_of(normed_octet(row, octet, inverse));
  }
}
