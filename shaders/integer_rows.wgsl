// Activations as gemm_integer.wgsl takes them: f32 [rows, K] to 16-bit integers q = 256 h + l of one scale for GK columns,
// x ~ xs q, |q| <= 32512. A row is bytes h and then bytes l, each [PADDED_K / 8][8], zero from K on; of eight k, the even ones come
// first (w4), or the first four (w8), as codes leave their word. Behind all rows: (xs, xs sum q) [rows, GROUPS].
// NORM: of x[r, k] * g[k] * rsqrt(mean_k(x[r]^2) + eps)
// Thread map: LANES threads share a row, eight consecutive k at a time, GK / 8 neighbours a group; WG_SIZE / LANES rows a workgroup.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<u32>>;
const OCTETS = GROUPS * GK / 8u;
const GROUP_LANES = GK / 8u;
const OUT_STRIDE = PADDED_K / 8u;
#import normed_row
#import integer_bytes

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
    let at = params.out_at + row * OUT_STRIDE + octet / 2u;
    if (is_low) {
      scratch[at + OUT_STRIDE / 2u] = vec4<u32>(given, mine.zw);
    } else {
      scratch[at] = vec4<u32>(mine.xy, given);
    }
  }
  if (octet % GROUP_LANES == 0u) {
    put_scale(row * GROUPS + octet / GROUP_LANES, vec2<f32>(q.scale, q.scale * sum));
  }
}

fn put_scale(i: u32, pair: vec2<f32>) {
  let at = params.out_at + params.num_rows * OUT_STRIDE + i / 2u;
  scratch[at][i % 2u * 2u] = bitcast<u32>(pair.x);
  scratch[at][i % 2u * 2u + 1u] = bitcast<u32>(pair.y);
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let lane = index % LANES;
  let row = wg.x * (WG_SIZE / LANES) + index / LANES;
  // Surplus threads do the last row again, so that all meet in the reductions.
  let from_row = min(row, params.num_rows - 1u);
  let inverse = inverse_norm(from_row, lane, index);
  for (var start = 0u; start < OCTETS; start += LANES) {
    let octet = start + lane;
    var x = Floats8();
    if (octet < OCTETS) {
      x = normed_octet(from_row, octet, inverse);
    }
    put_octet(row, octet, x);
  }
}
