// Merges the splits of attention: out[r, h, d] = sum_s w_s acc_s[d] / sum_s w_s l_s,  w_s = exp(m_s - max_s m_s)
// partials: f32 [rows][HEADS][num_splits][4 + HEAD_DIM] = (m, l, unused, unused, acc); out: f32 [rows][HEADS][HEAD_DIM].
// Thread map: workgroup (head, row): thread s weighs split s (num_splits <= WG_SIZE); then thread (group, quad) adds up four dims of
// every GROUPS-th split. TOGETHER of these are asked for at a time, the first before the weights are known: nearly all there is
// to do is to wait for memory.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import reduce

const QUADS = HEAD_DIM / 4u;
const PARTIAL = QUADS + 1u;
// Threads behind the last whole group add up what nobody takes.
const GROUPS = WG_SIZE / QUADS;

var<workgroup> weights: array<f32, WG_SIZE>;
var<workgroup> sums: array<vec4<f32>, WG_SIZE>;

fn weight_of(split: u32) -> f32 {
  return select(0.0, weights[min(split, WG_SIZE - 1u)], split < params.num_splits);
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let last = params.num_splits - 1u;
  let head = wg.y * HEADS + wg.x;
  let partials = params.partials_at / 4u + head * params.num_splits * PARTIAL;
  let group = index / QUADS;
  let values = partials + 1u + index % QUADS;
#for i in TOGETHER
  var acc$i = scratch[values + min(group + $i * GROUPS, last) * PARTIAL];
#endfor
  let own = scratch[partials + min(index, last) * PARTIAL];
  let is_empty = index > last || own.y == 0.0;
  let top = lanes_max(select(own.x, -3.0e38, is_empty), index);
  // Some split holds the row's own token, so the sum is at least 1.
  let weight = select(exp(own.x - top), 0.0, is_empty);
  weights[index] = weight / lanes_sum(weight * own.y, index);
  workgroupBarrier();
  var sum = vec4<f32>();
  var split = group;
  loop {
#for i in TOGETHER
    sum += weight_of(split + $i * GROUPS) * acc$i;
#endfor
    split += TOGETHER * GROUPS;
    if (split >= params.num_splits) {
      break;
    }
#for i in TOGETHER
    acc$i = scratch[values + min(split + $i * GROUPS, last) * PARTIAL];
#endfor
  }
  sums[index] = sum;
  workgroupBarrier();
  if (index < QUADS) {
    for (var other = 1u; other < GROUPS; other++) {
      sum += sums[other * QUADS + index];
    }
    scratch[params.out_at / 4u + head * QUADS + index] = sum;
  }
}
