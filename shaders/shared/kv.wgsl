// Paged KV cache of one layer (src/kernels/kv-layout.ts). Needs the defines of kvDefines().
// x^ = scale * code + offset per token and head (8 and 4 bits); 16 bits: halves; 32 bits: floats.
// side: 0 = K, 1 = V. A block starts at block_at; all offsets in 32-bit words.

#if CHUNK_WORDS == 4
@group(0) @binding(2) var<storage, read_write> kv: array<vec4<u32>>;
#elif CHUNK_WORDS == 2
@group(0) @binding(2) var<storage, read_write> kv: array<vec2<u32>>;
#else
@group(0) @binding(2) var<storage, read_write> kv: array<u32>;
#endif

#if HALF
alias real = f16;
alias real4 = vec4<f16>;
#else
alias real = f32;
alias real4 = vec4<f32>;
#endif

fn kv_codes_at(block_at: u32, head: u32, side: u32, token: u32) -> u32 {
  return block_at + ((2u * head + side) * BLOCK_TOKENS + token) * ROW_WORDS;
}

fn kv_params_at(block_at: u32, head: u32, side: u32, token: u32) -> u32 {
  return block_at + PARAMS_AT + (2u * head + side) * BLOCK_TOKENS + token;
}

fn kv_word(at: u32) -> u32 {
#if CHUNK_WORDS == 1
  return kv[at];
#else
  return kv[at / CHUNK_WORDS][at % CHUNK_WORDS];
#endif
}

fn kv_store(at: u32, word: u32) {
#if CHUNK_WORDS == 1
  kv[at] = word;
#else
  kv[at / CHUNK_WORDS][at % CHUNK_WORDS] = word;
#endif
}

// CHUNK_WORDS words from `at` (a multiple of CHUNK_WORDS) on; the rest of the vector is 0.
fn kv_chunk(at: u32) -> vec4<u32> {
#if CHUNK_WORDS == 4
  return kv[at / 4u];
#elif CHUNK_WORDS == 2
  return vec4<u32>(kv[at / 2u], 0u, 0u);
#else
  return vec4<u32>(kv[at], 0u, 0u, 0u);
#endif
}

#if KV_BITS == 8
#import byte_floats
#endif

// Four neighbouring elements, number `i` of four, of words that start with element 0: plain codes or values.
fn plain_quad(words: vec4<u32>, i: u32) -> vec4<f32> {
#if KV_BITS == 32
  return bitcast<vec4<f32>>(words);
#elif KV_BITS == 16
  return vec4<f32>(unpack2x16float(words[2u * i]), unpack2x16float(words[2u * i + 1u]));
#elif KV_BITS == 8
  return byte_floats(words[i]) - vec4<f32>(256.0);
#else
  let half_word = words[i / 2u] >> (16u * (i % 2u));
  return vec4<f32>((vec4<u32>(half_word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u));
#endif
}

// The same as `real`. In f16 codes are centred and divided by 128 or 8: exact, and no dot product can overflow.
fn quad(words: vec4<u32>, i: u32) -> real4 {
#if HALF && KV_BITS == 8
  // As halves, 1024 + each byte.
  let even = bitcast<vec2<f16>>((words[i] & 0x00ff00ffu) | 0x64006400u);
  let odd = bitcast<vec2<f16>>(((words[i] >> 8u) & 0x00ff00ffu) | 0x64006400u);
  return (vec4<f16>(even.x, odd.x, even.y, odd.y) - vec4<f16>(1152.0h)) * 0.0078125h;
#elif HALF
  return (vec4<f16>(plain_quad(words, i)) - vec4<f16>(8.0h)) * 0.125h;
#else
  return plain_quad(words, i);
#endif
}

// Element quad `i` of the row at `row_at`, for kernels whose lanes take four elements each.
fn row_quad(row_at: u32, i: u32) -> vec4<u32> {
#if KV_BITS == 32
  return vec4<u32>(kv_word(row_at + 4u * i), kv_word(row_at + 4u * i + 1u), kv_word(row_at + 4u * i + 2u), kv_word(row_at + 4u * i + 3u));
#elif KV_BITS == 16
  return vec4<u32>(kv_word(row_at + 2u * i), kv_word(row_at + 2u * i + 1u), 0u, 0u);
#elif KV_BITS == 8
  return vec4<u32>(kv_word(row_at + i), 0u, 0u, 0u);
#else
  return vec4<u32>(kv_word(row_at + i / 2u) >> (16u * (i % 2u)), 0u, 0u, 0u);
#endif
}

// (scale, offset) of plain codes.
fn plain_fold(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}

// (scale, offset) of codes as quad() gives them.
fn fold(word: u32) -> vec2<f32> {
  let pair = unpack2x16float(word);
#if HALF && KV_BITS == 8
  return vec2<f32>(128.0 * pair.x, pair.y + 128.0 * pair.x);
#elif HALF
  return vec2<f32>(8.0 * pair.x, pair.y + 8.0 * pair.x);
#else
  return pair;
#endif
}

// tanh with an absolute error of about 2e-7; the built-in is allowed 1e-5, which softcap would multiply.
fn precise_tanh(x: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(1.0) - vec4<f32>(2.0) / (exp(2.0 * clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0))) + vec4<f32>(1.0));
}
