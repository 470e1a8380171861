// Sums and maxima of four values at once over a whole workgroup of WG_SIZE threads (a power of two). Every thread must
// call, in uniform control flow; every thread gets the result. `index` is local_invocation_index.

#if SUBGROUP_SIZE == 0
var<workgroup> reduce_cell4: array<vec4<f32>, WG_SIZE>;
#else
var<workgroup> reduce_cell4: array<vec4<f32>, WG_SIZE / SUBGROUP_SIZE>;
var<workgroup> reduce_pair4: array<array<vec4<f32>, 2>, WG_SIZE / SUBGROUP_SIZE>;
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
  let part = subgroupAdd(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var total = reduce_cell4[0];
  for (var i = 1u; i < WG_SIZE / SUBGROUP_SIZE; i++) {
    total += reduce_cell4[i];
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
  let part = array<vec4<f32>, 2>(subgroupAdd(a), subgroupAdd(b));
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_pair4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var total = reduce_pair4[0];
  for (var i = 1u; i < WG_SIZE / SUBGROUP_SIZE; i++) {
    total[0] += reduce_pair4[i][0];
    total[1] += reduce_pair4[i][1];
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
  let part = subgroupMax(value);
  if (index % SUBGROUP_SIZE == 0u) {
    reduce_cell4[index / SUBGROUP_SIZE] = part;
  }
  workgroupBarrier();
  var top = reduce_cell4[0];
  for (var i = 1u; i < WG_SIZE / SUBGROUP_SIZE; i++) {
    top = max(top, reduce_cell4[i]);
  }
  workgroupBarrier();
  return top;
#endif
}
