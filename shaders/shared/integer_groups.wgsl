// Groups of GK floats to 16-bit integers q = 256 h + l of one scale, eight consecutive k from each thread; GK / 8 neighbouring threads
// of a subgroup have a group. Needs: defines BITS, GK.

#import integer_bytes

const GROUP_LANES = GK / 8u;

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

// Eight bytes h and eight bytes l, as codes leave their word, and (xs, xs sum q) of the group.
struct IntegerOctet {
  bytes: vec4<u32>,
  scale: vec2<f32>,
}

// All threads call, in uniform control flow.
fn integer_octet(x: Floats8) -> IntegerOctet {
  let q = rounded(x, group_max(largest(x)));
  let scale = vec2<f32>(q.scale, q.scale * group_sum(q.sum));
#if BITS == 4
  return IntegerOctet(even_odd_bytes(q), scale);
#else
  let first = bytes(q.a);
  let other = bytes(q.b);
  return IntegerOctet(vec4<u32>(first.x, other.x, first.y, other.y), scale);
#endif
}
