// Sums and maxima of four values at once over a whole workgroup of WG_SIZE threads (a power of two). Every thread must
// call, in uniform control flow; every thread gets the result. `index` is local_invocation_index.

#if SUBGROUP_SIZE == 0
var<workgroup> reduce_cell4: array<vec4<f32>, WG_SIZE>;
#else
const SUBGROUPS = WG_SIZE / SUBGROUP_SIZE;
var<workgroup> reduce_cell4: array<vec4<f32>, SUBGROUPS>;
var<workgroup> reduce_pair4: array<array<vec4<f32>, 2>, SUBGROUPS>;

// Of `width` neighbouring threads, a power of two, in steps of at least `least`.
fn near_sum4(value: vec4<f32>, width: u32, least: u32) -> vec4<f32> {
  var sum = value;
  for (var step = width / 2u; step >= least; step /= 2u) {
    sum += subgroupShuffleXor(sum, step);
  }
  return sum;
}

fn near_max4(value: vec4<f32>, width: u32) -> vec4<f32> {
  var top = value;
  for (var step = width / 2u; step > 0u; step /= 2u) {
    top = max(top, subgroupShuffleXor(top, step));
  }
  return top;
}
#endif

fn all_sum4(value: vec4<f32>, index: u32) -> vec4<f32> {
#if SUBGROUP_SIZE == 0
  reduce_cell4[index] = value;
  workgroupBarrier();
  for (var width = u32(WG_SIZE) / 2u; width > 0u; width /= 2u) {
    if (index < width) {
      reduce_cell4[index] += reduce_cell4[index + width];
    }
    workgroupBarrier();
  }
  let total = reduce_cell4[0];
  workgroupBarrier();
  return total;
#else
  let part = near_sum4(value, SUBGROUP_SIZE, 1u);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var total = reduce_cell4[index % SUBGROUPS];
  if (SUBGROUPS <= SUBGROUP_SIZE) {
    total = near_sum4(total, SUBGROUPS, 1u);
  } else {
    total = reduce_cell4[0];
    for (var i = 1u; i < SUBGROUPS; i++) {
      total += reduce_cell4[i];
    }
  }
  workgroupBarrier();
  return total;
#endif
}

// Two of them at the price of one.
fn all_sums4(a: vec4<f32>, b: vec4<f32>, index: u32) -> array<vec4<f32>, 2> {
#if SUBGROUP_SIZE == 0
  return array<vec4<f32>, 2>(all_sum4(a, index), all_sum4(b, index));
#else
  // Of two neighbours one goes on with a, the other with b.
  let odd = index % 2u == 1u;
  let pair = select(a, b, odd) + subgroupShuffleXor(select(b, a, odd), 1u);
  let part = near_sum4(pair, SUBGROUP_SIZE, 2u);
  if (index % SUBGROUP_SIZE < 2u) {
    reduce_pair4[index / SUBGROUP_SIZE][index % 2u] = part;
  }
  workgroupBarrier();
  var total = reduce_pair4[0];
  if (2u * SUBGROUPS <= SUBGROUP_SIZE) {
    let own = reduce_pair4[index / 2u % SUBGROUPS][index % 2u];
    let sum = near_sum4(own, 2u * SUBGROUPS, 2u);
    let other = subgroupShuffleXor(sum, 1u);
    total[0] = select(sum, other, odd);
    total[1] = select(other, sum, odd);
  } else {
    for (var i = 1u; i < SUBGROUPS; i++) {
      total[0] += reduce_pair4[i][0];
      total[1] += reduce_pair4[i][1];
    }
  }
  workgroupBarrier();
  return total;
#endif
}

fn all_max4(value: vec4<f32>, index: u32) -> vec4<f32> {
#if SUBGROUP_SIZE == 0
  reduce_cell4[index] = value;
  workgroupBarrier();
  for (var width = u32(WG_SIZE) / 2u; width > 0u; width /= 2u) {
    if (index < width) {
      reduce_cell4[index] = max(reduce_cell4[index], reduce_cell4[index + width]);
    }
    workgroupBarrier();
  }
  let top = reduce_cell4[0];
  workgroupBarrier();
  return top;
#else
  let part = near_max4(value, SUBGROUP_SIZE);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var top = reduce_cell4[index % SUBGROUPS];
  if (SUBGROUPS <= SUBGROUP_SIZE) {
    top = near_max4(top, SUBGROUPS);
  } else {
    for (var i = 0u; i < SUBGROUPS; i++) {
      top = max(top, reduce_cell4[i]);
    }
  }
  workgroupBarrier();
  return top;
#endif
}
