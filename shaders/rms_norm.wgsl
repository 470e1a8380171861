// RMS norm: y[r, k] = x[r, k] * g[k] * rsqrt(mean_k(x[r]^2) + eps);  RESIDUAL: y = residual[r, k] + residual_scale * y
// x, residual, out: f32 [rows, K] in scratch, each with its own distance between rows; out may be x or the residual.
// Thread map: LANES threads share a row, four consecutive k at a time; WG_SIZE / LANES rows a workgroup.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import inside
#import reduce

const K4 = (K + 3u) / 4u;

// The last vector may reach beyond K: what lies there is not overwritten.
fn store(v: vec4<f32>, at: u32, k4: u32) {
#if K_TAIL
  if (k4 * 4u + 4u > K) {
    for (var i = 0u; i < K % 4u; i++) {
      scratch[at][i] = v[i];
    }
    return;
  }
#endif
  scratch[at] = v;
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let row = (wg.x + wg.y * GRID_WIDTH) * (WG_SIZE / LANES) + index / LANES;
  // Surplus threads sum the last row again, so that all meet in the reduction.
  let from_row = min(row, params.num_rows - 1u);
  let in_at = params.in_at + from_row * params.in_stride;
  var squares = 0.0;
  for (var k4 = lane; k4 < K4; k4 += LANES) {
    let x = inside4(scratch[in_at + k4], k4 * 4u);
    squares += dot(x, x);
  }
  let inverse = inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
  if (row >= params.num_rows) {
    return;
  }
  for (var k4 = lane; k4 < K4; k4 += LANES) {
    var y = scratch[in_at + k4] * bitcast<vec4<f32>>(weights[params.norm_at + k4]) * inverse;
#if RESIDUAL
    y = scratch[params.residual_at + row * params.residual_stride + k4] + params.residual_scale * y;
#endif
    store(y, params.out_at + row * params.out_stride + k4, k4);
  }
}
