// Sums over parts of K that workgroups of gemm_integer.wgsl have left: f32 [num_parts][num_rows][4 part_stride] in scratch.
// Needs: scratch: array<vec4<f32>>; params.parts_at, part_stride (in vec4), num_parts, num_rows.

// Of four neighbouring n, in the order of the parts; four parts are on their way at a time.
fn part_sum(m: u32, four: u32) -> vec4<f32> {
  let at = params.parts_at + m * params.part_stride + four;
  let stride = params.num_rows * params.part_stride;
  var sum = vec4<f32>();
  for (var part = 0u; part < params.num_parts; part += 4u) {
#for i in 4
    let y$i = scratch[at + min(part + $i, params.num_parts - 1u) * stride];
#endfor
#for i in 4
    sum += select(vec4<f32>(), y$i, part + $i < params.num_parts);
#endfor
  }
  return sum;
}
