// What workgroups of gemm_integer.wgsl that share K have left, summed and finished: y[m, n] = sum_s parts[s, m, n]
//   then bias, scale, softcap and residual as in shared/linear_epilogue.wgsl
// parts: f32 [num_parts][M, 4 part_stride] in scratch; out: f32 [M, N].
// Thread map: thread = four neighbouring n of one row.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import linear_epilogue
#import part_sums

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let four = wg.x * WG_SIZE + index;
  if (four >= params.part_stride) {
    return;
  }
  let sum = part_sum(wg.y, four);
#for i in 4
  if (four * 4u + $i < params.rows) {
    finish(sum[$i], four * 4u + $i, wg.y);
  }
#endfor
}
