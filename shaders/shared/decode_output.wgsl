// What decode_attention.wgsl does with probabilities: values weighed by them, four dims of some tokens a thread; then the
// columns of all threads joined in cells, and divided by the sum of p or stored as a partial for attention_merge.wgsl.

// Accumulators: columns are a thread's four dims, rows four heads.
fn outer(p: vec4<f32>, v: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(p * v.x, p * v.y, p * v.z, p * v.w);
}

fn decayed(acc: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(acc[0] * by, acc[1] * by, acc[2] * by, acc[3] * by);
}

fn value_words(kv_head: u32, token: u32, dims: u32) -> vec4<u32> {
  return row_quad(kv_codes_at(tile_blocks[token / BLOCK_TOKENS], kv_head, 1u, token % BLOCK_TOKENS), dims);
}

// Of eight tokens, each TOKEN_GROUPS behind the one before. Those behind the end read the last token again.
struct ValueBatch {
  w0: vec4<u32>,
  w1: vec4<u32>,
  w2: vec4<u32>,
  w3: vec4<u32>,
  w4: vec4<u32>,
  w5: vec4<u32>,
  w6: vec4<u32>,
  w7: vec4<u32>,
}

fn load_values(kv_head: u32, t: u32, count: u32, dims: u32) -> ValueBatch {
  let last = count - 1u;
  return ValueBatch(
    value_words(kv_head, min(t, last), dims),
    value_words(kv_head, min(t + TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 2u * TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 3u * TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 4u * TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 5u * TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 6u * TOKEN_GROUPS, last), dims),
    value_words(kv_head, min(t + 7u * TOKEN_GROUPS, last), dims));
}

// p v of one token; p is 0 in the cells behind the end of the split.
fn weighed(t: u32, words: vec4<u32>) -> mat4x4<f32> {
  return outer(select(vec4<f32>(), cell(min(t, TILE - 1u)), t < TILE), plain_quad(words, 0u));
}

fn weigh_batch(before: mat4x4<f32>, t: u32, v: ValueBatch) -> mat4x4<f32> {
  var acc = before;
  acc += weighed(t, v.w0);
  acc += weighed(t + TOKEN_GROUPS, v.w1);
  acc += weighed(t + 2u * TOKEN_GROUPS, v.w2);
  acc += weighed(t + 3u * TOKEN_GROUPS, v.w3);
  acc += weighed(t + 4u * TOKEN_GROUPS, v.w4);
  acc += weighed(t + 5u * TOKEN_GROUPS, v.w5);
  acc += weighed(t + 6u * TOKEN_GROUPS, v.w6);
  acc += weighed(t + 7u * TOKEN_GROUPS, v.w7);
  return acc;
}

fn put(row: u32, head: u32, split: u32, d: u32, value: f32, top: f32, total: f32) {
  let number = row * HEADS + head;
  if (params.num_splits == 1u) {
    put_output(number * HEAD_DIM + d, value / total);
    return;
  }
  let at = (number * params.num_splits + split) * (HEAD_DIM + 4u);
  if (d == 0u) {
    put_output(at, top);
    put_output(at + 1u, total);
  }
  put_output(at + 4u + d, value);
}

// `shift`: sum_t p o_t of quantised values, the same for every dim. All threads call, in uniform control flow.
fn write_heads(acc: mat4x4<f32>, top: vec4<f32>, total: vec4<f32>, shift: vec4<f32>, wg: vec3<u32>, index: u32) {
  let first_head = wg.y % HEAD_PARTS * 4u;
  let head = wg.y / HEAD_PARTS * RATIO + first_head;
  for (var two = 0u; two < 2u; two++) {
    // Two heads at a time: cells are (dim, head) 00, 01, 10, 11 of the first two dims of a thread, then of the others.
    workgroupBarrier();
    put_cell(index, select(vec4<f32>(acc[0].xy, acc[1].xy), vec4<f32>(acc[0].zw, acc[1].zw), two == 1u));
    put_cell(WG_SIZE + index, select(vec4<f32>(acc[2].xy, acc[3].xy), vec4<f32>(acc[2].zw, acc[3].zw), two == 1u));
    workgroupBarrier();
    let tops = select(top.xy, top.zw, two == 1u);
    let totals = select(total.xy, total.zw, two == 1u);
    let shifts = select(shift.xy, shift.zw, two == 1u);
    for (var column = index; column < 2u * DIM_LANES; column += WG_SIZE) {
      let half_at = column / DIM_LANES * WG_SIZE;
      let lane = column % DIM_LANES;
      var sum = vec4<f32>();
      for (var i = 0u; i < TOKEN_GROUPS; i++) {
        sum += cell(half_at + i * DIM_LANES + lane);
      }
      let d = 4u * lane + column / DIM_LANES * 2u;
      if (first_head + 2u * two < RATIO) {
        put(wg.z, head + 2u * two, wg.x, d, sum.x + shifts.x, tops.x, totals.x);
        put(wg.z, head + 2u * two, wg.x, d + 1u, sum.z + shifts.x, tops.x, totals.x);
      }
      if (first_head + 2u * two + 1u < RATIO) {
        put(wg.z, head + 2u * two + 1u, wg.x, d, sum.y + shifts.y, tops.y, totals.y);
        put(wg.z, head + 2u * two + 1u, wg.x, d + 1u, sum.w + shifts.y, tops.y, totals.y);
      }
    }
  }
}
