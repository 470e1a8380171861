// RoPE and KV append of a chunk in one layer. qkv [rows][HEADS + 2 KV_HEADS][HEAD_DIM] f32 in scratch (q | k | v heads).
//   q: y = query_scale * growth * rope(norm(x)), in place; growth = 1 + beta * log(1 + floor(position / span)) or 1
//   k: append(rope(norm(x - bias)))     v: append(x)     (shared/rope_head.wgsl)
//   w[row, h, j] = (q_i b_i + q_j b_j, q_j b_i - q_i b_j) of scaled queries y, for the terms of K's bias (key_bias.wgsl)
//   append: to block block_of(slot, position / T), token position % T
// Thread map: workgroup (x, y) is head x of row y; a thread takes pairs i, i + 32, … then cache words likewise.

#params
#if NORM != 0
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
#import packed
#endif
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
const HEADS_AT_ONCE = 1u;
#import state
#import kv
#import reduce
#import rotary
#if KEY_BIAS
#import key_bias
#import key_bias_terms
#endif
#import rope_head

fn raw_pair(head: Head, dims: vec2<u32>) -> vec2<f32> {
  return vec2<f32>(scratch[head.at + dims.x], scratch[head.at + dims.y]);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let number = group.x;
  let row = group.y;
  let position = row_position(row);
  let kind = select(select(VALUE, KEY, number < HEADS + KV_HEADS), QUERY, number < HEADS);
  let kv_head = select((number - HEADS) % KV_HEADS, number / (HEADS / KV_HEADS), kind == QUERY);
  let at = params.qkv_at + (row * (HEADS + 2u * KV_HEADS) + number) * HEAD_DIM;
  prepare_head(Head(kind, kv_head, at, 0u, true), position, index, index);
  workgroupBarrier();
  if (kind == QUERY) {
    let scale = query_scale(position);
    for (var d = index; d < HEAD_DIM; d += 32u) {
      scratch[at + d] = scale * values[d];
    }
#if BIAS_PAIRS > 0
    for (var j = index; j < BIAS_PAIRS; j += 32u) {
      let dims = pair_dims(bias_pair(kv_head, j));
      let q = scale * vec2<f32>(values[dims.x], values[dims.y]);
      let b = pair_bias(kv_head, j);
      let to = terms_before(row, number) + 2u * j;
      scratch[to] = dot(q, b);
      scratch[to + 1u] = q.y * b.x - q.x * b.y;
    }
#endif
    return;
  }
  let side = select(0u, 1u, kind == VALUE);
  let block_at = params.layer_at + block_of(row_slot(row), position / BLOCK_TOKENS) * BLOCK_WORDS;
  let token = position % BLOCK_TOKENS;
  append_row(true, 0u, kv_codes_at(block_at, kv_head, side, token), kv_params_at(block_at, kv_head, side, token), index, index);
}
