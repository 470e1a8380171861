// What decode_attention.wgsl does with probabilities: values weighed by them, four dims of some tokens a thread; then those of all
// threads joined, and divided by the sum of p or stored as a partial for attention_merge.wgsl.

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

// The same of the row's own token.
fn own_value(dims: u32) -> vec4<u32> {
#if KV_BITS == 32
  let at = ROW_WORDS + 4u * dims;
  return vec4<u32>(own_row[at], own_row[at + 1u], own_row[at + 2u], own_row[at + 3u]);
#elif KV_BITS == 16
  return vec4<u32>(own_row[ROW_WORDS + 2u * dims], own_row[ROW_WORDS + 2u * dims + 1u], 0u, 0u);
#elif KV_BITS == 8
  return vec4<u32>(own_row[ROW_WORDS + dims], 0u, 0u, 0u);
#else
  return vec4<u32>(own_row[ROW_WORDS + dims / 2u] >> (16u * (dims % 2u)), 0u, 0u, 0u);
#endif
}

// p v of one token; p is 0 in the cells behind the end of the split.
fn weighed(t: u32, words: vec4<u32>) -> mat4x4<f32> {
  return outer(select(vec4<f32>(), cell(min(t, TILE - 1u)), t < TILE), plain_quad(words, 0u));
}

// `shift`: sum_t p o_t of quantised values, the same for every dim. All threads call, in uniform control flow.
fn write_heads(acc: mat4x4<f32>, top: vec4<f32>, total: vec4<f32>, shift: vec4<f32>, wg: vec3<u32>, index: u32) {
  // The heads' own place is free by now.
  for (var two = 0u; two < 2u; two++) {
    // Two dims of a thread at a time: there is not room for more.
    put_cell(index, select(acc[0], acc[2], two == 1u));
    put_cell(WG_SIZE + index, select(acc[1], acc[3], two == 1u));
    workgroupBarrier();
    for (var i = index; i < 8u * DIM_LANES; i += WG_SIZE) {
      let head = i % 4u;
      let lane = i / 4u % DIM_LANES;
      let one = i / 4u / DIM_LANES;
      var sum = shift[head];
      for (var other = 0u; other < TOKEN_GROUPS; other++) {
        sum += cell_float(one * WG_SIZE + other * DIM_LANES + lane, head);
      }
      if (params.num_splits == 1u) {
        sum /= total[head];
      }
      values[head * HEAD_DIM + 4u * lane + 2u * two + one] = sum;
    }
    workgroupBarrier();
  }
  let first_head = wg.y % HEAD_PARTS * 4u;
  let number = wg.z * HEADS + wg.y / HEAD_PARTS * RATIO + first_head;
  let heads = min(4u, RATIO - first_head);
#if PREPARES
  if (params.num_splits == 1u) {
    put_prepared(wg.z, (number - wg.z * HEADS) * HEAD_DIM, heads, index);
    return;
  }
#endif
  for (var i = index; i < heads * HEAD_DIM; i += WG_SIZE) {
    let head = i / HEAD_DIM;
    let d = i % HEAD_DIM;
    if (params.num_splits == 1u) {
      put_output(number * HEAD_DIM + i, values[i]);
    } else {
      let at = ((number + head) * params.num_splits + wg.x) * (HEAD_DIM + 4u);
      if (d == 0u) {
        put_output(at, top[head]);
        put_output(at + 1u, total[head]);
      }
      put_output(at + 4u + d, values[i]);
    }
  }
}
