// lanes_sum and lanes_max of shared/reduce.wgsl, four values at once: over LANES neighbouring threads of a workgroup of
// WG_SIZE (LANES a power of two that divides WG_SIZE). Same rules: all threads call, in uniform control flow.

var<workgroup> reduce_cell4: array<vec4<f32>, WG_SIZE>;

fn lanes_sum4(value: vec4<f32>, index: u32) -> vec4<f32> {
#if SUBGROUP_SIZE == 0
  reduce_cell4[index] = value;
  workgroupBarrier();
  for (var width = u32(LANES) / 2u; width > 0u; width /= 2u) {
    if ((index & (LANES - 1)) < width) {
      reduce_cell4[index] += reduce_cell4[index + width];
    }
    workgroupBarrier();
  }
  let total = reduce_cell4[index & ~u32(LANES - 1)];
  workgroupBarrier();
  return total;
#elif SUBGROUP_SIZE >= LANES
  var total = value;
  for (var width = u32(LANES) / 2u; width > 0u; width /= 2u) {
    total += subgroupShuffleXor(total, width);
  }
  return total;
#else
  let part = subgroupAdd(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  let first = (index / LANES) * (LANES / SUBGROUP_SIZE);
  var total = reduce_cell4[first];
  for (var i = 1u; i < LANES / SUBGROUP_SIZE; i++) {
    total += reduce_cell4[first + i];
  }
  workgroupBarrier();
  return total;
#endif
}

fn lanes_max4(value: vec4<f32>, index: u32) -> vec4<f32> {
#if SUBGROUP_SIZE == 0
  reduce_cell4[index] = value;
  workgroupBarrier();
  for (var width = u32(LANES) / 2u; width > 0u; width /= 2u) {
    if ((index & (LANES - 1)) < width) {
      reduce_cell4[index] = max(reduce_cell4[index], reduce_cell4[index + width]);
    }
    workgroupBarrier();
  }
  let top = reduce_cell4[index & ~u32(LANES - 1)];
  workgroupBarrier();
  return top;
#elif SUBGROUP_SIZE >= LANES
  var top = value;
  for (var width = u32(LANES) / 2u; width > 0u; width /= 2u) {
    top = max(top, subgroupShuffleXor(top, width));
  }
  return top;
#else
  let part = subgroupMax(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  let first = (index / LANES) * (LANES / SUBGROUP_SIZE);
  var top = reduce_cell4[first];
  for (var i = 1u; i < LANES / SUBGROUP_SIZE; i++) {
    top = max(top, reduce_cell4[first + i]);
  }
  workgroupBarrier();
  return top;
#endif
}
