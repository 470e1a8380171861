// Columns in another order, normed on the way: y[r, j] = x'[r, perm[j]]
//   x'[r, k] = x[r, k], or with NORM x[r, k] * g[k] * rsqrt(mean_k(x[r]^2) + eps)
// x: f32 [rows, K] in scratch; perm: u32[K] and g: f32[K] in weights; out: f32 [rows, K] in scratch, apart from x.
// Thread map: LANES threads share a row; WG_SIZE / LANES rows a workgroup. Neighbours write neighbours; the row that they
// read from is in the cache, because it is a few KiB that all of them have just summed or are about to use.

#params
@group(0) @binding(0) var<storage, read> weights: array<u32>;
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
#import reduce

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let row = (wg.x + wg.y * GRID_WIDTH) * (WG_SIZE / LANES) + index / LANES;
  // Surplus threads sum the last row again, so that all meet in the reduction.
  let in_at = params.in_at + min(row, params.num_rows - 1u) * params.in_stride;
#if NORM
  var squares = 0.0;
  for (var k = lane; k < K; k += LANES) {
    let x = scratch[in_at + k];
    squares = fma(x, x, squares);
  }
  let inverse = inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#endif
  if (row >= params.num_rows) {
    return;
  }
  for (var j = lane; j < K; j += LANES) {
    let k = weights[params.perm_at + j];
    var y = scratch[in_at + k];
#if NORM
    y *= bitcast<f32>(weights[params.norm_at + k]) * inverse;
#endif
    scratch[params.out_at + row * params.out_stride + j] = y;
  }
}
