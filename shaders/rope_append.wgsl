// RoPE and KV append of one layer. qkv [rows][HEADS + 2 KV_HEADS][HEAD_DIM] f32 in scratch (q | k | v heads).
//   q: y = query_scale * growth * rope(norm(x)), in place; growth = 1 + beta * log(1 + floor(position / span)) or 1
//   k: append(rope(norm(x - bias)))     v: append(x)     bias: what of K's bias is kept out of the cache
//   w[row, h, j] = (q_i b_i + q_j b_j, q_j b_i - q_i b_j) of scaled queries y, for the terms of that bias (key_bias.wgsl)
//   norm(x)[d] = x[d] * w[d] / sqrt(mean_d x^2 + eps)   NORM: 0 none, 1 before rope, 2 after rope
//   rope: pair i -> (a cos - b sin, b cos + a sin); pairs (i, i + ROTARY_DIM / 2), or (2i, 2i + 1) where INTERLEAVED
//   append: to block block_of(slot, position / T), token position % T; codes with the scale and offset already
//   rounded to half: scale = (max - min) / (2^b - 1), offset = min, code = round_even((x - offset) / scale), clamped
// Thread map: workgroup (x, y) is head x of row y; a thread takes pairs i, i + 32, … then cache words likewise.

#params
#if NORM != 0
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
#import packed
#endif
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import kv
#import reduce
#import rotary
#if KEY_BIAS
#import key_bias
#endif

const MAX_HALF = 65504.0;

var<workgroup> values: array<f32, HEAD_DIM>;

#if NORM != 0
fn norm_weight(head: u32, d: u32) -> f32 {
  return bitcast<f32>(weight_word(select(params.k_norm_at, params.q_norm_at, head < HEADS) + d));
}
#endif

fn pair_dims(i: u32) -> vec2<u32> {
#if ROTARY_DIM > 0 && !INTERLEAVED
  if (i < ROTARY_DIM / 2u) {
    return vec2<u32>(i, i + ROTARY_DIM / 2u);
  }
#endif
  return vec2<u32>(2u * i, 2u * i + 1u);
}

fn rotate(pair: vec2<f32>, i: u32, position: u32) -> vec2<f32> {
#if ROTARY_DIM > 0
  if (i < ROTARY_DIM / 2u) {
    let angle = rope_angle(position, i);
    let cosine = angle.x;
    let sine = angle.y;
    return vec2<f32>(pair.x * cosine - pair.y * sine, pair.y * cosine + pair.x * sine);
  }
#endif
  return pair;
}

#if KV_BITS < 16
fn append(codes_at: u32, params_at: u32, index: u32) {
  const LEVELS = f32((1u << KV_BITS) - 1u);
  var low = 3.0e38;
  var high = -3.0e38;
  for (var d = index; d < HEAD_DIM; d += 32u) {
    low = min(low, values[d]);
    high = max(high, values[d]);
  }
  low = -lanes_max(-low, index);
  high = lanes_max(high, index);
  let pair = vec2<f32>(min((high - low) / LEVELS, MAX_HALF), clamp(low, -MAX_HALF, MAX_HALF));
  let stored = pack2x16float(pair);
  if (index == 0u) {
    kv[params_at] = stored;
  }
  let rounded = unpack2x16float(stored);
  // A scale that rounds to 0 (all values equal, or nearly so) leaves code 0: every value reads as the offset.
  let inverse = select(0.0, 1.0 / max(rounded.x, 1.0e-8), rounded.x > 0.0);
  for (var word = index; word < ROW_WORDS; word += 32u) {
    var codes = 0u;
    for (var i = 0u; i < 32u / KV_BITS; i++) {
      let level = round((values[word * (32u / KV_BITS) + i] - rounded.y) * inverse);
      codes |= u32(clamp(level, 0.0, LEVELS)) << (i * KV_BITS);
    }
    kv[codes_at + word] = codes;
  }
}
#else
fn append(codes_at: u32, params_at: u32, index: u32) {
  for (var word = index; word < ROW_WORDS; word += 32u) {
#if KV_BITS == 16
    let pair = vec2<f32>(values[2u * word], values[2u * word + 1u]);
    kv[codes_at + word] = pack2x16float(clamp(pair, vec2<f32>(-MAX_HALF), vec2<f32>(MAX_HALF)));
#else
    kv[codes_at + word] = bitcast<u32>(values[word]);
#endif
  }
}
#endif

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let head = group.x;
  let row = group.y;
  let at = params.qkv_at + (row * (HEADS + 2u * KV_HEADS) + head) * HEAD_DIM;
  let position = row_position(row);
  let rotated = head < HEADS + KV_HEADS;
#if NORM == 1
  var norm = 1.0;
  if (rotated) {
    var raw_squares = 0.0;
    for (var d = index; d < HEAD_DIM; d += 32u) {
      raw_squares += scratch[at + d] * scratch[at + d];
    }
    norm = inverseSqrt(lanes_sum(raw_squares, index) / HEAD_DIM + params.eps);
  }
#endif
  var squares = 0.0;
  for (var i = index; i < HEAD_DIM / 2u; i += 32u) {
    let dims = pair_dims(i);
    var pair = vec2<f32>(scratch[at + dims.x], scratch[at + dims.y]);
    if (rotated) {
#if KEY_BIAS
      if (head >= HEADS) {
        pair -= vec2<f32>(key_bias(head - HEADS, dims.x), key_bias(head - HEADS, dims.y));
      }
#endif
#if NORM == 1
      pair *= norm * vec2<f32>(norm_weight(head, dims.x), norm_weight(head, dims.y));
#endif
      pair = rotate(pair, i, position);
    }
    squares += dot(pair, pair);
    values[dims.x] = pair.x;
    values[dims.y] = pair.y;
  }
#if NORM == 2
  if (rotated) {
    let norm = inverseSqrt(lanes_sum(squares, index) / HEAD_DIM + params.eps);
    for (var i = index; i < HEAD_DIM / 2u; i += 32u) {
      let dims = pair_dims(i);
      values[dims.x] *= norm * norm_weight(head, dims.x);
      values[dims.y] *= norm * norm_weight(head, dims.y);
    }
  }
#endif
  workgroupBarrier();
  if (head < HEADS) {
    var scale = params.query_scale;
#if QUERY_GROWTH
    scale *= 1.0 + params.growth_beta * log(1.0 + f32(position / params.growth_span));
#endif
    for (var d = index; d < HEAD_DIM; d += 32u) {
      scratch[at + d] = scale * values[d];
    }
#if BIAS_PAIRS > 0
    let shared_head = head / (HEADS / KV_HEADS);
    for (var j = index; j < BIAS_PAIRS; j += 32u) {
      let dims = pair_dims(bias_pair(shared_head, j));
      let q = scale * vec2<f32>(values[dims.x], values[dims.y]);
      let b = pair_bias(shared_head, j);
      let to = terms_before(row, head) + 2u * j;
      scratch[to] = dot(q, b);
      scratch[to + 1u] = q.y * b.x - q.x * b.y;
    }
#endif
    return;
  }
  let side = select(0u, 1u, !rotated);
  let kv_head = (head - HEADS) % KV_HEADS;
  let block_at = params.layer_at + block_of(row_slot(row), position / BLOCK_TOKENS) * BLOCK_WORDS;
  let token = position % BLOCK_TOKENS;
  append(kv_codes_at(block_at, kv_head, side, token), kv_params_at(block_at, kv_head, side, token), index);
}
