// Rows of activations as gemm_integer.wgsl takes them (shaders/integer_rows.wgsl), eight consecutive k from each thread; neighbouring
// threads have neighbouring octets, GK / 8 of them a group.
// Needs: scratch: array<vec4<f32>>; params.prepared_at (in vec4), num_rows; defines BITS, GK, GROUPS, PADDED_K.

#import integer_bytes

const OCTETS = GROUPS * GK / 8u;
const GROUP_LANES = GK / 8u;
const PREPARED_STRIDE = PADDED_K / 8u;

fn group_max(value: f32) -> f32 {
  var top = value;
  for (var step = GROUP_LANES / 2u; step > 0u; step /= 2u) {
    top = max(top, subgroupShuffleXor(top, step));
  }
  return top;
}

fn group_sum(value: f32) -> f32 {
  var sum = value;
  for (var step = GROUP_LANES / 2u; step > 0u; step /= 2u) {
    sum += subgroupShuffleXor(sum, step);
  }
  return sum;
}

// All threads call, in uniform control flow; rows and octets that there are not are left out.
fn put_octet(row: u32, octet: u32, x: Floats8) {
  let q = rounded(x, group_max(largest(x)));
  let sum = group_sum(q.sum);
#if BITS == 4
  let mine = even_odd_bytes(q);
#else
  let first = bytes(q.a);
  let other = bytes(q.b);
  let mine = vec4<u32>(first.x, other.x, first.y, other.y);
#endif
  // Neighbours have two octets: one of them writes both h, the other both l.
  let is_low = octet % 2u == 1u;
  let given = subgroupShuffleXor(select(mine.zw, mine.xy, is_low), 1u);
  if (row >= params.num_rows || octet >= OCTETS) {
    return;
  }
  if (octet * 8u < PADDED_K) {
    let at = params.prepared_at + row * PREPARED_STRIDE + octet / 2u;
    if (is_low) {
      scratch[at + PREPARED_STRIDE / 2u] = bitcast<vec4<f32>>(vec4<u32>(given, mine.zw));
    } else {
      scratch[at] = bitcast<vec4<f32>>(vec4<u32>(mine.xy, given));
    }
  }
  if (octet % GROUP_LANES == 0u) {
    put_scale(row * GROUPS + octet / GROUP_LANES, vec2<f32>(q.scale, q.scale * sum));
  }
}

fn put_scale(i: u32, pair: vec2<f32>) {
  let at = params.prepared_at + params.num_rows * PREPARED_STRIDE + i / 2u;
  scratch[at][i % 2u * 2u] = pair.x;
  scratch[at][i % 2u * 2u + 1u] = pair.y;
}
