// Largest and sum of a value over four neighbouring threads. Every thread of the workgroup of WG_SIZE must call, in uniform
// control flow; `index` is local_invocation_index.

#if SUBGROUP_SIZE < 4
var<workgroup> quad_cell: array<f32, WG_SIZE>;

fn quad_values(value: f32, index: u32) -> vec4<f32> {
  quad_cell[index] = value;
  workgroupBarrier();
  let first = index & ~3u;
  let four = vec4<f32>(quad_cell[first], quad_cell[first + 1u], quad_cell[first + 2u], quad_cell[first + 3u]);
  workgroupBarrier();
  return four;
}
#endif

fn quad_max(value: f32, index: u32) -> f32 {
#if SUBGROUP_SIZE < 4
  let four = quad_values(value, index);
  return max(max(four.x, four.y), max(four.z, four.w));
#else
  let two = max(value, subgroupShuffleXor(value, 1u));
  return max(two, subgroupShuffleXor(two, 2u));
#endif
}

fn quad_sum(value: f32, index: u32) -> f32 {
#if SUBGROUP_SIZE < 4
  let four = quad_values(value, index);
  return (four.x + four.y) + (four.z + four.w);
#else
  let two = value + subgroupShuffleXor(value, 1u);
  return two + subgroupShuffleXor(two, 2u);
#endif
}
