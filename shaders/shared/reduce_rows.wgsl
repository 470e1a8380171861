// The sum of a value of type Rows (one component for each of ROWS activation rows) over LANES neighbouring threads of a
// workgroup of WG_SIZE (powers of two). Every thread of the workgroup must call, in uniform control flow; every thread
// gets its group's sum. `index` is local_invocation_index.

#if ROWS == 1
alias Rows = f32;
#elif ROWS == 2
alias Rows = vec2<f32>;
#elif ROWS == 3
alias Rows = vec3<f32>;
#else
alias Rows = vec4<f32>;
#endif

var<workgroup> rows_cell: array<Rows, WG_SIZE>;

fn rows_tree(value: Rows, index: u32, width: u32) -> Rows {
  rows_cell[index] = value;
  workgroupBarrier();
  for (var step = width / 2u; step > 0u; step /= 2u) {
    if ((index & (width - 1u)) < step) {
      rows_cell[index] += rows_cell[index + step];
    }
    workgroupBarrier();
  }
  let total = rows_cell[index & ~(width - 1u)];
  workgroupBarrier();
  return total;
}

#if SUBGROUP_SIZE > 0
// From the sums of whole subgroups.
fn rows_gather(part: Rows, index: u32, width: u32) -> Rows {
  if (index % SUBGROUP_SIZE == 0u) {
    rows_cell[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var total = Rows();
  let first = (index / width) * (width / SUBGROUP_SIZE);
  for (var i = 0u; i < width / SUBGROUP_SIZE; i++) {
    total += rows_cell[first + i];
  }
  workgroupBarrier();
  return total;
}
#endif

fn rows_sum(value: Rows, index: u32) -> Rows {
#if SUBGROUP_SIZE == 0
  return rows_tree(value, index, LANES);
#elif SUBGROUP_SIZE >= LANES
  var total = value;
  for (var step = u32(LANES) / 2u; step > 0u; step /= 2u) {
    total += subgroupShuffleXor(total, step);
  }
  return total;
#else
  return rows_gather(subgroupAdd(value), index, LANES);
#endif
}

// Over the whole workgroup.
fn rows_total(value: Rows, index: u32) -> Rows {
#if SUBGROUP_SIZE == 0 || SUBGROUP_SIZE > WG_SIZE
  return rows_tree(value, index, WG_SIZE);
#else
  return rows_gather(subgroupAdd(value), index, WG_SIZE);
#endif
}
