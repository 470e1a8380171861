// The scores of decode_attention.wgsl: four query heads in the lanes of a vector against one key a thread.

// Needs: BATCH, chunks that are loaded at once (it divides CHUNKS), and CHUNK_DIMS, the dims of one.
const CHUNKS = ROW_WORDS / CHUNK_WORDS;

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
  for (var j = index; j < BIAS_PAIRS; j += WG_SIZE) {
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

fn score(block_at: u32, kv_head: u32, token: u32) -> vec4<f32> {
  let k_at = kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS);
  var s = vec4<f32>();
  for (var c = 0u; c < CHUNKS; c += BATCH) {
    let at = k_at + c * CHUNK_WORDS;
    // All loads of a batch before the first use: a thread has no other way to have several under way.
    let w0 = kv_chunk(at);
#if BATCH > 1
    let w1 = kv_chunk(at + CHUNK_WORDS);
#endif
#if BATCH > 2
    let w2 = kv_chunk(at + 2u * CHUNK_WORDS);
    let w3 = kv_chunk(at + 3u * CHUNK_WORDS);
#endif
    s += chunk_score(w0, c * CHUNK_DIMS);
#if BATCH > 1
    s += chunk_score(w1, (c + 1u) * CHUNK_DIMS);
#endif
#if BATCH > 2
    s += chunk_score(w2, (c + 2u) * CHUNK_DIMS);
    s += chunk_score(w3, (c + 3u) * CHUNK_DIMS);
#endif
  }
#if KV_BITS < 16
  let so = fold(kv_word(kv_params_at(block_at, kv_head, 0u, token % BLOCK_TOKENS)));
  s = s * so.x + so.y * q_sum;
#endif
#if BIAS_PAIRS > 0
  for (var j = 0u; j < BIAS_PAIRS; j++) {
    let angle = rope_angle(token, pair_tile[j]);
    s += angle.x * term_tile[2u * j] + angle.y * term_tile[2u * j + 1u];
  }
#endif
#if SOFTCAP
  s = params.softcap * precise_tanh(s / params.softcap);
#endif
  return s;
}
