// The scores of decode_attention.wgsl: four query heads in the lanes of a vector against one key.

// KEY_LANES neighbouring threads share a key, of which each takes CHUNKS chunks of CHUNK_DIMS dims: HELD of them are loaded
// ahead, BATCH at a time of the others.

// sum_d q of the quantised rows' offsets.
var<private> q_sum: vec4<f32>;
#if BIAS_PAIRS > 0
// w of shared/key_bias.wgsl by [pair][cos, sin]: f32 whatever the rest is in, because w is as large as the bias.
var<workgroup> term_tile: array<vec4<f32>, 2 * BIAS_PAIRS>;
var<workgroup> pair_tile: array<u32, BIAS_PAIRS>;
#endif

fn query4(d: u32) -> vec4<f32> {
  return vec4<f32>(values[d], values[HEAD_DIM + d], values[2 * HEAD_DIM + d], values[3 * HEAD_DIM + d]);
}

fn load_queries(kv_head: u32, scale: f32, index: u32) {
  var sum = vec4<f32>();
  for (var d = index; d < HEAD_DIM; d += WG_SIZE) {
    let q = real4(scale * query4(d));
    q_tile[d] = q;
    sum += vec4<f32>(q);
  }
#if KV_BITS < 16
  q_sum = all_sum4(sum, index);
#endif
#if BIAS_PAIRS > 0
  for (var j = index; j < bias_pairs(); j += WG_SIZE) {
    let dims = pair_dims(bias_pair(kv_head, j));
    let b = pair_bias(kv_head, j);
    let q = scale * query4(dims.x);
    let partner = scale * query4(dims.y);
    pair_tile[j] = bias_pair(kv_head, j);
    term_tile[2u * j] = q * b.x + partner * b.y;
    term_tile[2u * j + 1u] = partner * b.x - q * b.y;
  }
#endif
}

// Four dims from `d` on.
fn four_dims(k: real4, d: u32) -> vec4<f32> {
  return vec4<f32>(k.x * q_tile[d] + k.y * q_tile[d + 1u] + k.z * q_tile[d + 2u] + k.w * q_tile[d + 3u]);
}

// Literal numbers of quads, because registers cannot be indexed.
fn chunk_score(words: vec4<u32>, d: u32) -> vec4<f32> {
  var s = four_dims(quad(words, 0u), d);
#if CHUNK_DIMS > 4
  s += four_dims(quad(words, 1u), d + 4u);
#endif
#if CHUNK_DIMS > 8
  s += four_dims(quad(words, 2u), d + 8u);
  s += four_dims(quad(words, 3u), d + 12u);
#endif
#if CHUNK_DIMS > 16
  s += four_dims(quad(words, 4u), d + 16u);
  s += four_dims(quad(words, 5u), d + 20u);
  s += four_dims(quad(words, 6u), d + 24u);
  s += four_dims(quad(words, 7u), d + 28u);
#endif
  return s;
}

// The first chunks of a key, and the scales and offsets of the key and of the token's value.
struct Key {
#for c in HELD
  c$c: vec4<u32>,
#endfor
  fold: u32,
  value_fold: u32,
}

fn key_chunks_at(block_at: u32, kv_head: u32, token: u32, part: u32) -> u32 {
  return kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS) + part * (CHUNKS * CHUNK_WORDS);
}

fn load_key(block_at: u32, kv_head: u32, token: u32, part: u32) -> Key {
  let k_at = key_chunks_at(block_at, kv_head, token, part);
  var key = Key();
#for c in HELD
  key.c$c = kv_chunk(k_at + $c * CHUNK_WORDS);
#endfor
#if KV_BITS < 16
  key.fold = kv_word(kv_params_at(block_at, kv_head, 0u, token % BLOCK_TOKENS));
  key.value_fold = kv_word(kv_params_at(block_at, kv_head, 1u, token % BLOCK_TOKENS));
#endif
  return key;
}

#if CHUNKS > HELD
// Of the chunks that are not loaded ahead.
fn score_rest(block_at: u32, kv_head: u32, token: u32, part: u32) -> vec4<f32> {
  let k_at = key_chunks_at(block_at, kv_head, token, part);
  var s = vec4<f32>();
  for (var c = u32(HELD); c < CHUNKS; c += BATCH) {
    // All loads of a batch before the first use: a thread has no other way to have several under way.
#for i in BATCH
    let w$i = kv_chunk(k_at + (c + $i) * CHUNK_WORDS);
#endfor
#for i in BATCH
    s += chunk_score(w$i, (part * CHUNKS + c + $i) * CHUNK_DIMS);
#endfor
  }
  return s;
}
#endif

// A part's share of the score. The threads of a key add theirs up.
fn part_score(key: Key, block_at: u32, kv_head: u32, token: u32, part: u32) -> vec4<f32> {
  var s = vec4<f32>();
#for c in HELD
  s += chunk_score(key.c$c, (part * CHUNKS + $c) * CHUNK_DIMS);
#endfor
#if CHUNKS > HELD
  s += score_rest(block_at, kv_head, token, part);
#endif
  return s;
}

fn key_sum(value: vec4<f32>) -> vec4<f32> {
  var sum = value;
#if KEY_LANES > 1
  for (var step = u32(KEY_LANES) / 2u; step > 0u; step /= 2u) {
    sum += subgroupShuffleXor(sum, step);
  }
#endif
  return sum;
}

// From the sum of all parts.
fn score(key: Key, parts: vec4<f32>, token: u32) -> vec4<f32> {
  var s = parts;
#if KV_BITS < 16
  let so = fold(key.fold);
  s = s * so.x + so.y * q_sum;
#endif
#if BIAS_PAIRS > 0
  for (var j = 0u; j < bias_pairs(); j++) {
    let angle = rope_angle(token, pair_tile[j]);
    s += angle.x * term_tile[2u * j] + angle.y * term_tile[2u * j + 1u];
  }
#endif
#if SOFTCAP
  s = params.softcap * precise_tanh(s / params.softcap);
#endif
  return s;
}
