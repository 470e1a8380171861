// What threads of prefill_attention.wgsl make of their rows' products: scores, probabilities, and what they need from each other.
// Needs: `#import kv`, `prefill_tiles`; defines SCORE_ROWS, SUBGROUP_SIZE.

fn largest(s: vec4<f32>) -> f32 {
  return max(max(s.x, s.y), max(s.z, s.w));
}

fn probabilities(s: vec4<f32>, top: f32, seen: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), exp(s - top), seen);
}

// Scores of one query and four keys, and what four more dims add to them.
fn scores(q: real4, k0: real4, k1: real4, k2: real4, k3: real4, before: vec4<f32>) -> vec4<f32> {
#if HALF
  return before + vec4<f32>(f32(dot(q, k0)), f32(dot(q, k1)), f32(dot(q, k2)), f32(dot(q, k3)));
#else
  let x = fma(vec4<f32>(q.x), vec4<f32>(k0.x, k1.x, k2.x, k3.x), before);
  let y = fma(vec4<f32>(q.y), vec4<f32>(k0.y, k1.y, k2.y, k3.y), x);
  let z = fma(vec4<f32>(q.z), vec4<f32>(k0.z, k1.z, k2.z, k3.z), y);
  return fma(vec4<f32>(q.w), vec4<f32>(k0.w, k1.w, k2.w, k3.w), z);
#endif
}

#if SCORE_ROWS == 4
alias Rows = vec4<f32>;
#else
alias Rows = vec2<f32>;
#endif

// The largest, and the sum, that threads with the same query rows have: they differ in bits 1, 3 and 4 of the index. Without wide
// subgroups through row_tile, which must be free.
fn rows_max(rows: Rows, ty: u32, tx: u32) -> Rows {
#if SUBGROUP_SIZE >= 32
  let a = max(rows, subgroupShuffleXor(rows, 2u));
  let b = max(a, subgroupShuffleXor(a, 8u));
  return max(b, subgroupShuffleXor(b, 16u));
#else
  put_rows(rows, ty, tx);
  var most = rows;
  for (var i = 0u; i < 8u; i++) {
    most = max(most, rows_at(ty, i));
  }
  workgroupBarrier();
  return most;
#endif
}

fn rows_sum(rows: Rows, ty: u32, tx: u32) -> Rows {
#if SUBGROUP_SIZE >= 32
  let a = rows + subgroupShuffleXor(rows, 2u);
  let b = a + subgroupShuffleXor(a, 8u);
  return b + subgroupShuffleXor(b, 16u);
#else
  put_rows(rows, ty, tx);
  var sum = Rows();
  for (var i = 0u; i < 8u; i++) {
    sum += rows_at(ty, i);
  }
  workgroupBarrier();
  return sum;
#endif
}

#if SUBGROUP_SIZE < 32
fn put_rows(rows: Rows, ty: u32, tx: u32) {
#if SCORE_ROWS == 4
  row_tile[ty * 8u + tx] = cell(rows);
#else
  row_tile[ty * 8u + tx] = cell(vec4<f32>(rows, rows));
#endif
  workgroupBarrier();
}

fn rows_at(ty: u32, tx: u32) -> Rows {
#if SCORE_ROWS == 4
  return floats(row_tile[ty * 8u + tx]);
#else
  return floats(row_tile[ty * 8u + tx]).xy;
#endif
}
#endif
