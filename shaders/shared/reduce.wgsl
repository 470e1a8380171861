// Sums and maxima over LANES neighbouring threads of a workgroup of WG_SIZE (both powers of two, LANES divides WG_SIZE).
// Every thread of the workgroup must call, in uniform control flow; every thread gets its group's result.
// `index` is local_invocation_index. With SUBGROUP_SIZE > 0 a subgroup is SUBGROUP_SIZE neighbouring indices.

#if SUBGROUP_SIZE == 0 || SUBGROUP_SIZE < LANES
var<workgroup> reduce_cell: array<f32, WG_SIZE>;
#endif

fn lanes_sum(value: f32, index: u32) -> f32 {
#if SUBGROUP_SIZE == 0
  reduce_cell[index] = value;
  workgroupBarrier();
  for (var step = u32(LANES) / 2u; step > 0u; step /= 2u) {
    if ((index & (LANES - 1)) < step) {
      reduce_cell[index] += reduce_cell[index + step];
    }
    workgroupBarrier();
  }
  let total = reduce_cell[index & ~u32(LANES - 1)];
  workgroupBarrier();
  return total;
#elif SUBGROUP_SIZE >= LANES
  var total = value;
  for (var step = u32(LANES) / 2u; step > 0u; step /= 2u) {
    total += subgroupShuffleXor(total, step);
  }
  return total;
#else
  let part = subgroupAdd(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var total = 0.0;
  let first = (index / LANES) * (LANES / SUBGROUP_SIZE);
  for (var i = 0u; i < LANES / SUBGROUP_SIZE; i++) {
    total += reduce_cell[first + i];
  }
  workgroupBarrier();
  return total;
#endif
}

fn lanes_max(value: f32, index: u32) -> f32 {
#if SUBGROUP_SIZE == 0
  reduce_cell[index] = value;
  workgroupBarrier();
  for (var step = u32(LANES) / 2u; step > 0u; step /= 2u) {
    if ((index & (LANES - 1)) < step) {
      reduce_cell[index] = max(reduce_cell[index], reduce_cell[index + step]);
    }
    workgroupBarrier();
  }
  let top = reduce_cell[index & ~u32(LANES - 1)];
  workgroupBarrier();
  return top;
#elif SUBGROUP_SIZE >= LANES
  var top = value;
  for (var step = u32(LANES) / 2u; step > 0u; step /= 2u) {
    top = max(top, subgroupShuffleXor(top, step));
  }
  return top;
#else
  let part = subgroupMax(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  let first = (index / LANES) * (LANES / SUBGROUP_SIZE);
  var top = reduce_cell[first];
  for (var i = 1u; i < LANES / SUBGROUP_SIZE; i++) {
    top = max(top, reduce_cell[first + i]);
  }
  workgroupBarrier();
  return top;
#endif
}
