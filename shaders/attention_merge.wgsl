// Merges the splits of decode attention: out[r, h, d] = sum_s w_s acc_s[d] / sum_s w_s l_s,  w_s = exp(m_s - max_s m_s)
// partials: f32 [rows][HEADS][num_splits][HEAD_DIM + 4] = (m, l, unused, unused, acc); out: f32 [rows][HEADS][HEAD_DIM].
// Thread map: workgroup (head, row), 128 threads: thread s weighs split s (num_splits <= 128), then thread = dim.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
#import reduce

var<workgroup> split_weight: array<f32, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let first = params.partials_at + (wg.y * HEADS + wg.x) * params.num_splits * (HEAD_DIM + 4u);
  var top = -3.0e38;
  var total = 0.0;
  if (index < params.num_splits) {
    top = scratch[first + index * (HEAD_DIM + 4u)];
    total = scratch[first + index * (HEAD_DIM + 4u) + 1u];
  }
  let all_top = lanes_max(top, index);
  // An empty split has m = -3e38 and l = 0; some split holds the row's own token, so the sum is at least 1.
  let weight = select(0.0, exp(top - all_top), total > 0.0);
  let all_total = lanes_sum(total * weight, index);
  split_weight[index] = weight / all_total;
  workgroupBarrier();
  for (var d = index; d < HEAD_DIM; d += 128u) {
    var sum = 0.0;
    for (var s = 0u; s < params.num_splits; s++) {
      sum += split_weight[s] * scratch[first + s * (HEAD_DIM + 4u) + 4u + d];
    }
    scratch[params.out_at + (wg.y * HEADS + wg.x) * HEAD_DIM + d] = sum;
  }
}
