// The scores of decode_attention.wgsl: four query heads in the lanes of a vector against one key.
// KEY_LANES neighbouring threads of a subgroup share a key, KEY_GROUPS keys at a time; number i of a tile's turns is that of the keys
// i KEY_GROUPS + (thread / KEY_LANES). Then a thread has the score of one token: own_token.
// Of its share of a key, CHUNKS chunks of CHUNK_DIMS dims, a thread loads AHEAD ahead, and BATCH at a time of the others.

const KEY_GROUPS = WG_SIZE / KEY_LANES;
const OWN_DIMS = CHUNKS * CHUNK_DIMS;

// Dim d at [d % OWN_DIMS][d / OWN_DIMS]: threads of a key read neighbours.
var<workgroup> q_tile: array<real4, HEAD_DIM>;
// sum_d q of the quantised rows' offsets.
var<private> q_sum: vec4<f32>;
#if HOLDS_QUERY
var<private> own_query: array<real4, OWN_DIMS>;
#endif
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
    q_tile[d % OWN_DIMS * KEY_LANES + d / OWN_DIMS] = q;
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

fn hold_query(index: u32) {
#if HOLDS_QUERY
  for (var d = 0u; d < OWN_DIMS; d++) {
    own_query[d] = q_tile[d * KEY_LANES + index % KEY_LANES];
  }
#endif
}

// `d`: of a thread's own dims.
fn query_of(d: u32, index: u32) -> real4 {
#if HOLDS_QUERY
  return own_query[d];
#else
  return q_tile[d * KEY_LANES + index % KEY_LANES];
#endif
}

// Four dims from `d` on.
fn four_dims(k: real4, d: u32, index: u32) -> vec4<f32> {
  return vec4<f32>(
    k.x * query_of(d, index) + k.y * query_of(d + 1u, index) + k.z * query_of(d + 2u, index) + k.w * query_of(d + 3u, index));
}

// Literal numbers of quads, because registers cannot be indexed.
fn chunk_score(words: vec4<u32>, d: u32, index: u32) -> vec4<f32> {
  var s = four_dims(quad(words, 0u), d, index);
#if CHUNK_DIMS > 4
  s += four_dims(quad(words, 1u), d + 4u, index);
#endif
#if CHUNK_DIMS > 8
  s += four_dims(quad(words, 2u), d + 8u, index);
  s += four_dims(quad(words, 3u), d + 12u, index);
#endif
#if CHUNK_DIMS > 16
  s += four_dims(quad(words, 4u), d + 16u, index);
  s += four_dims(quad(words, 5u), d + 20u, index);
  s += four_dims(quad(words, 6u), d + 24u, index);
  s += four_dims(quad(words, 7u), d + 28u, index);
#endif
  return s;
}

fn own_token(index: u32) -> u32 {
  return index % KEY_LANES * KEY_GROUPS + index / KEY_LANES;
}

// The first chunks of a thread's share of a key.
struct Key {
#for c in AHEAD
  c$c: vec4<u32>,
#endfor
}

fn turn_token(first: u32, turn: u32, index: u32) -> u32 {
  return first + turn * KEY_GROUPS + index / KEY_LANES;
}

// Chunk `c` of a thread's share of the row's own key.
fn own_chunk(c: u32, index: u32) -> vec4<u32> {
  let at = (index % KEY_LANES * CHUNKS + c) * CHUNK_WORDS;
#if CHUNK_WORDS == 4
  return vec4<u32>(own_row[at], own_row[at + 1u], own_row[at + 2u], own_row[at + 3u]);
#elif CHUNK_WORDS == 2
  return vec4<u32>(own_row[at], own_row[at + 1u], 0u, 0u);
#else
  return vec4<u32>(own_row[at], 0u, 0u, 0u);
#endif
}

// Of the key that a thread has in a turn of the tile that begins at `first`; behind the last one, of that.
fn own_chunks_at(row: Row, kv_head: u32, first: u32, turn: u32, index: u32) -> u32 {
  let token = min(turn_token(first, turn, index), row.end - 1u);
  let block_at = tile_blocks[(token - first) / BLOCK_TOKENS];
  return kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS) + index % KEY_LANES * (CHUNKS * CHUNK_WORDS);
}

fn load_key(row: Row, kv_head: u32, first: u32, turn: u32, index: u32) -> Key {
  let k_at = own_chunks_at(row, kv_head, first, turn, index);
  var key = Key();
#for c in AHEAD
  key.c$c = kv_chunk(k_at + $c * CHUNK_WORDS);
#endfor
  return key;
}

// Words with the scales and offsets of the key and the value of a thread's own token.
struct Folds {
  key: u32,
  value: u32,
}

fn load_folds(row: Row, kv_head: u32, first: u32, index: u32) -> Folds {
#if KV_BITS < 16
  let token = min(first + own_token(index), row.end - 1u);
  let at = kv_params_at(tile_blocks[(token - first) / BLOCK_TOKENS], kv_head, 0u, token % BLOCK_TOKENS);
  return Folds(kv_word(at), kv_word(at + BLOCK_TOKENS));
#else
  return Folds();
#endif
}

fn own_folds() -> Folds {
  return Folds(own_row[2u * ROW_WORDS], own_row[2u * ROW_WORDS + 1u]);
}

// A thread's share of the score; those of a key add theirs up.
fn part_score(loaded: Key, row: Row, kv_head: u32, first: u32, turn: u32, index: u32) -> vec4<f32> {
  var key = loaded;
  let is_own = turn_token(first, turn, index) == row.position;
  if (is_own) {
#for c in AHEAD
    key.c$c = own_chunk($c, index);
#endfor
  }
  var s = vec4<f32>();
#for c in AHEAD
  s += chunk_score(key.c$c, $c * CHUNK_DIMS, index);
#endfor
#if CHUNKS > AHEAD
  let k_at = own_chunks_at(row, kv_head, first, turn, index);
  for (var c = u32(AHEAD); c < CHUNKS; c += BATCH) {
    // All loads of a batch before the first use: a thread has no other way to have several under way.
#for i in BATCH
    let w$i = select(kv_chunk(k_at + (c + $i) * CHUNK_WORDS), own_chunk(c + $i, index), is_own);
#endfor
#for i in BATCH
    s += chunk_score(w$i, (c + $i) * CHUNK_DIMS, index);
#endfor
  }
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
fn score(folds: Folds, parts: vec4<f32>, token: u32) -> vec4<f32> {
  var s = parts;
#if KV_BITS < 16
  let so = fold(folds.key);
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
