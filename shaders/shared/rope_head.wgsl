// Heads of q, k and v on their way into attention, each by LANES neighbouring threads, through `values` in workgroup memory.
//   q, k: rope(norm(x)), k without the bias that is kept out of the cache     v: x
//   norm(x)[d] = x[d] * w[d] / sqrt(mean_d x^2 + eps)   NORM: 0 none, 1 before rope, 2 after rope
//   rope: pair i -> (a cos - b sin, b cos + a sin); pairs (i, i + ROTARY_DIM / 2), or (2i, 2i + 1) where INTERLEAVED
//   append: codes with the scale and offset already rounded to half: scale = (max - min) / (2^b - 1), offset = min,
//   code = round_even((x - offset) / scale), clamped
// STAGED_HEADS: the position's angles lie in `angles`. KEEPS_ROW: append leaves what it stores in `own_row` as well.
// Needs: reduce, rotary and kv; raw_pair(head, dims), two floats of a head as the linear left it; HEADS_AT_ONCE; the params named below; NORM: weights; KEY_BIAS: key_bias.

const QUERY = 0u;
const KEY = 1u;
const VALUE = 2u;
const MAX_HALF = 65504.0;

struct Head {
  kind: u32,
  kv_head: u32,
  // What raw_pair knows it by.
  at: u32,
  // First float in `values`.
  base: u32,
  // Otherwise zeros stand for it.
  exists: bool,
}

var<workgroup> values: array<f32, HEADS_AT_ONCE * HEAD_DIM>;

#if NORM != 0
fn norm_weight(kind: u32, d: u32) -> f32 {
  return bitcast<f32>(weight_word(select(params.k_norm_at, params.q_norm_at, kind == QUERY) + d));
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
#if STAGED_HEADS
    let angle = angles[i];
#else
    let angle = rope_angle(position, i);
#endif
    return vec2<f32>(pair.x * angle.x - pair.y * angle.y, pair.y * angle.x + pair.x * angle.y);
  }
#endif
  return pair;
}

// Every thread of the workgroup must call, in uniform control flow; a barrier has to follow.
fn prepare_head(head: Head, position: u32, lane: u32, index: u32) {
  let turned = head.kind != VALUE && head.exists;
#if NORM == 1
  var raw_squares = 0.0;
  for (var i = lane; turned && i < HEAD_DIM / 2u; i += LANES) {
    let pair = raw_pair(head, pair_dims(i));
    raw_squares += dot(pair, pair);
  }
  let norm = inverseSqrt(lanes_sum(raw_squares, index) / HEAD_DIM + params.eps);
#endif
  var squares = 0.0;
  for (var i = lane; i < HEAD_DIM / 2u; i += LANES) {
    let dims = pair_dims(i);
    var pair = vec2<f32>();
    if (head.exists) {
      pair = raw_pair(head, dims);
    }
    if (turned) {
#if KEY_BIAS
      if (head.kind == KEY) {
        pair -= vec2<f32>(key_bias(head.kv_head, dims.x), key_bias(head.kv_head, dims.y));
      }
#endif
#if NORM == 1
      pair *= norm * vec2<f32>(norm_weight(head.kind, dims.x), norm_weight(head.kind, dims.y));
#endif
      pair = rotate(pair, i, position);
    }
    squares += dot(pair, pair);
    values[head.base + dims.x] = pair.x;
    values[head.base + dims.y] = pair.y;
  }
#if NORM == 2
  let norm = inverseSqrt(lanes_sum(squares, index) / HEAD_DIM + params.eps);
  for (var i = lane; turned && i < HEAD_DIM / 2u; i += LANES) {
    let dims = pair_dims(i);
    values[head.base + dims.x] *= norm * norm_weight(head.kind, dims.x);
    values[head.base + dims.y] *= norm * norm_weight(head.kind, dims.y);
  }
#endif
}

// What queries at a position are multiplied by.
fn query_scale(position: u32) -> f32 {
#if QUERY_GROWTH
  return params.query_scale * (1.0 + params.growth_beta * log(1.0 + f32(position / params.growth_span)));
#else
  return params.query_scale;
#endif
}

// Stores values[base ..] as one cache row. Every thread of the workgroup must call; those with `stores` write.
fn append_row(stores: bool, base: u32, codes_at: u32, params_at: u32, lane: u32, index: u32) {
#if KV_BITS < 16
  const LEVELS = f32((1u << KV_BITS) - 1u);
  var low = 3.0e38;
  var high = -3.0e38;
  for (var d = lane; d < HEAD_DIM; d += LANES) {
    low = min(low, values[base + d]);
    high = max(high, values[base + d]);
  }
  low = -lanes_max(-low, index);
  high = lanes_max(high, index);
  let pair = vec2<f32>(min((high - low) / LEVELS, MAX_HALF), clamp(low, -MAX_HALF, MAX_HALF));
  let stored = pack2x16float(pair);
  if (stores && lane == 0u) {
    kv_store(params_at, stored);
#if KEEPS_ROW
    own_row[2u * ROW_WORDS + base / HEAD_DIM - FIRST_STORED] = stored;
#endif
  }
  let rounded = unpack2x16float(stored);
  // A scale that rounds to 0 (all values equal, or nearly so) leaves code 0: every value reads as the offset.
  let inverse = select(0.0, 1.0 / max(rounded.x, 1.0e-8), rounded.x > 0.0);
#endif
  for (var word = lane; stores && word < ROW_WORDS; word += LANES) {
    var kept = 0u;
#if KV_BITS < 16
    var codes = 0u;
    for (var i = 0u; i < 32u / KV_BITS; i++) {
      let level = round((values[base + word * (32u / KV_BITS) + i] - rounded.y) * inverse);
      codes |= u32(clamp(level, 0.0, LEVELS)) << (i * KV_BITS);
    }
    kept = codes;
#elif KV_BITS == 16
    let halves = vec2<f32>(values[base + 2u * word], values[base + 2u * word + 1u]);
    kept = pack2x16float(clamp(halves, vec2<f32>(-MAX_HALF), vec2<f32>(MAX_HALF)));
#else
    kept = bitcast<u32>(values[base + word]);
#endif
    kv_store(codes_at + word, kept);
#if KEEPS_ROW
    own_row[(base / HEAD_DIM - FIRST_STORED) * ROW_WORDS + word] = kept;
#endif
  }
}
