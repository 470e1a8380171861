// How decode_attention.wgsl writes its result: dims of one lane and token group are joined over the token groups, four
// heads at a time, through `cells`; then divided by the sum of p, or stored as a partial for attention_merge.wgsl.

var<workgroup> tops: array<vec4<f32>, HEAD_GROUPS>;
var<workgroup> totals: array<vec4<f32>, HEAD_GROUPS>;
// sum_t p o_t of quantised values, the same for every dim.
var<workgroup> shifts: array<vec4<f32>, HEAD_GROUPS>;

// Accumulators: columns are a lane's four dims, rows four heads.
fn outer(p: vec4<f32>, v: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(p * v.x, p * v.y, p * v.z, p * v.w);
}

fn decayed(acc: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(acc[0] * by, acc[1] * by, acc[2] * by, acc[3] * by);
}

fn put(row: u32, head: u32, split: u32, d: u32, value: f32, group: u32, lane: u32) {
  let shifted = value + shifts[group][lane];
#if SPLIT
  let at = params.out_at + ((row * HEADS + head) * params.num_splits + split) * (HEAD_DIM + 4u);
  if (d == 0u) {
    scratch[at] = tops[group][lane];
    scratch[at + 1u] = totals[group][lane];
  }
  scratch[at + 4u + d] = shifted;
#else
  scratch[params.out_at + (row * HEADS + head) * HEAD_DIM + d] = shifted / totals[group][lane];
#endif
}

// acc: of one head group and this thread's token group. All threads call, in uniform control flow.
fn write_heads(acc: mat4x4<f32>, group: u32, wg: vec3<u32>, index: u32) {
  for (var column = 0u; column < 4u; column += 2u) {
    workgroupBarrier();
    cells[index] = select(acc[0], acc[2], column == 2u);
    cells[128u + index] = select(acc[1], acc[3], column == 2u);
    workgroupBarrier();
    if (index < 2u * DIM_LANES) {
      let lane = index % DIM_LANES;
      let second = index / DIM_LANES;
      var sum = vec4<f32>();
      for (var i = 0u; i < TOKEN_GROUPS; i++) {
        sum += cells[128u * second + i * DIM_LANES + lane];
      }
      let first_head = (wg.y % HEAD_PARTS) * 4u * HEAD_GROUPS + 4u * group;
      for (var i = 0u; i < 4u && first_head + i < RATIO; i++) {
        put(wg.z, (wg.y / HEAD_PARTS) * RATIO + first_head + i, wg.x, 4u * lane + column + second, sum[i], group, i);
      }
    }
  }
}
