// Activations as gemm_integer.wgsl takes them: f32 [rows, K] to 16-bit integers q = 256 h + l of one scale for GK columns,
// x ~ xs q, |q| <= 32512. First bytes h of all rows, then bytes l of all, each [plane_rows, PADDED_K / 8][8], zero from K on; of eight k,
// the even ones come first (w4), or the first four (w8), as codes leave their word. Then xs and xs sum q, each [GROUPS, plane_rows].
// NORM: of x[r, k] * g[k] * rsqrt(mean_k(x[r]^2) + eps)
// DEFERS: of x[r, k] * g[k] alone, and behind all that sum(x[r]^2) / K over each group's columns, [plane_rows, GROUPS in whole fours]:
// gemm_integer.wgsl norms what it makes of a row (shared/integer_norm.wgsl).
// Thread map: LANES threads share a row, eight consecutive k at a time, GK / 8 neighbours a group; WG_SIZE / LANES rows a workgroup.
// Workgroups (i, j) share the columns of rows; with a norm that is not deferred there is one for all, which it has to see.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import integer_octets
#import normed_row

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = index % LANES;
  let row = wg.x * (WG_SIZE / LANES) + index / LANES;
  // Surplus threads do the last row again, so that all meet in the reductions.
  let from_row = min(row, params.num_rows - 1u);
#if !DEFERS
  let inverse = inverse_norm(from_row, lane, index);
#endif
  let place = PreparedPlace(params.prepared_at, params.num_rows, params.plane_rows);
  for (var start = wg.y * LANES; start < OCTETS; start += grid.y * LANES) {
    let octet = start + lane;
    var x = Floats8();
#if DEFERS
    if (octet < OCTETS) {
      x = octet_of(from_row, octet);
    }
    put_squares(place, row, octet, squares_of(x));
    x = gained(x, min(octet, OCTETS - 1u), 1.0);
#else
    if (octet < OCTETS) {
      x = normed_octet(from_row, octet, inverse);
    }
#endif
    put_octet(place, row, octet, x);
  }
}
