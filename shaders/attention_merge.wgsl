// Merges the splits of attention: out[r, h, d] = sum_s w_s acc_s[d] / sum_s w_s l_s,  w_s = exp(m_s - max_s m_s)
// partials: f32 [rows][HEADS][num_splits][4 + HEAD_DIM] = (m, l, unused, unused, acc); out: f32 [rows][HEADS][HEAD_DIM], or with
// PREPARES what integer_rows.wgsl makes of it, for plane_rows rows.
// Thread map: workgroup (head, row): thread s weighs split s (num_splits <= WG_SIZE); then thread (share, quad) adds up four dims of
// every SHARES-th split. TOGETHER of these are asked for at a time, the first before the weights are known: nearly all there is
// to do is to wait for memory.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import reduce
#if PREPARES
#import integer_octets
#endif

const QUADS = HEAD_DIM / 4u;
const PARTIAL = QUADS + 1u;
// Threads behind the last whole share add up what nobody takes.
const SHARES = WG_SIZE / QUADS;

var<workgroup> weights: array<f32, WG_SIZE>;
var<workgroup> sums: array<vec4<f32>, WG_SIZE>;

fn weight_of(split: u32) -> f32 {
  return select(0.0, weights[min(split, WG_SIZE - 1u)], split < params.num_splits);
}

#if PREPARES
// Of the head's results, which lie in `sums`. All threads call; those of the first octets have something.
fn put_head(head: u32, row: u32, num_rows: u32, index: u32) {
  let octet = min(index, QUADS / 2u - 1u);
  let place = PreparedPlace(params.out_at / 4u, num_rows, params.plane_rows);
  let x = Floats8(sums[2u * octet], sums[2u * octet + 1u]);
  put_octet(place, row, select(OCTETS, head * (QUADS / 2u) + octet, octet == index), x);
}
#endif

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let last = params.num_splits - 1u;
  let head = wg.y * HEADS + wg.x;
  let partials = params.partials_at / 4u + head * params.num_splits * PARTIAL;
  let share = index / QUADS;
  let values = partials + 1u + index % QUADS;
#for i in TOGETHER
  var acc$i = scratch[values + min(share + $i * SHARES, last) * PARTIAL];
#endfor
  let own = scratch[partials + min(index, last) * PARTIAL];
  let is_empty = index > last || own.y == 0.0;
  let top = lanes_max(select(own.x, -3.0e38, is_empty), index);
  // Some split holds the row's own token, so the sum is at least 1.
  let weight = select(exp(own.x - top), 0.0, is_empty);
  weights[index] = weight / lanes_sum(weight * own.y, index);
  workgroupBarrier();
  var sum = vec4<f32>();
  var split = share;
  loop {
#for i in TOGETHER
    sum += weight_of(split + $i * SHARES) * acc$i;
#endfor
    split += TOGETHER * SHARES;
    if (split >= params.num_splits) {
      break;
    }
#for i in TOGETHER
    acc$i = scratch[values + min(split + $i * SHARES, last) * PARTIAL];
#endfor
  }
  sums[index] = sum;
  workgroupBarrier();
  if (index < QUADS) {
    for (var other = 1u; other < SHARES; other++) {
      sum += sums[other * QUADS + index];
    }
#if PREPARES
    sums[index] = sum;
  }
  workgroupBarrier();
  put_head(wg.x, wg.y, grid.y, index);
#else
    scratch[params.out_at / 4u + head * QUADS + index] = sum;
  }
#endif
}
