// Rows of prefill_matrix.wgsl on their way into workgroup memory, eight dims a piece, in f16: queries, and cached keys and values,
// of 8 and 4 bits as centred codes.
// Needs: scratch, state; `#import state`, `kv`; the constants, Span and memory of prefill_matrix.wgsl.

fn half_pair(a: f32, b: f32) -> u32 {
  return pack2x16float(clamp(vec2<f32>(a, b), vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

fn halves(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(half_pair(a.x, a.y), half_pair(a.z, a.w), half_pair(b.x, b.y), half_pair(b.z, b.w));
}

struct Octet {
  a: vec4<f32>,
  b: vec4<f32>,
}

fn query_octet(part: Part, kv_head: u32, i: u32) -> Octet {
  let query = part.first_query + i / OCTETS;
  let row = query / RATIO;
  if (row >= part.num_rows) {
    return Octet();
  }
  let at = (params.q_at + step_row(part, row) * params.q_stride + (kv_head * RATIO + query % RATIO) * HEAD_DIM) / 4u + i % OCTETS * 2u;
  return Octet(scratch[at], scratch[at + 1u]);
}

// Element j of octet o stands at j * OCTETS + o of its row, of Q, K and V alike. Chrome stores half by half into workgroup memory that
// matrices are loaded from; so neighbouring threads, not the halves of one, fill a word.
fn put_octet(rows_at: u32, i: u32, octet: Octet) {
  let memory_halves = bufferView<array<f16>>(&memory, 0u);
  let words = halves(octet.a, octet.b);
  let at = rows_at / 2u + i / OCTETS * ROW_PITCH + i % OCTETS;
#for j in 4
  let pair$j = bitcast<vec2<f16>>(words[$j]);
  memory_halves[at + 2u * $j * OCTETS] = pair$j.x;
  memory_halves[at + (2u * $j + 1u) * OCTETS] = pair$j.y;
#endfor
}

// Where dim d of V, and so of the result, stands.
fn dim_place(d: u32) -> u32 {
  return d % 8u * OCTETS + d / 8u;
}

// Eight dims of a token's K and V as they are cached; zeros where no row of this workgroup looks.
struct Cached {
  k: vec4<u32>,
  v: vec4<u32>,
#if KV_BITS == 32
  k_rest: vec4<u32>,
  v_rest: vec4<u32>,
#endif
}

fn load_cached(part: Part, span: Span, kv_head: u32, first: u32, i: u32) -> Cached {
  let token = first + i / OCTETS;
  var cached: Cached;
  if (i < TOKENS * OCTETS && token >= span.begin && token < span.end) {
    let block_at = params.layer_at + block_of(part.slot, token / BLOCK_TOKENS) * BLOCK_WORDS;
    let k_at = kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS) + i % OCTETS * OCTET_WORDS;
    let v_at = kv_codes_at(block_at, kv_head, 1u, token % BLOCK_TOKENS) + i % OCTETS * OCTET_WORDS;
    cached.k = kv_chunk(k_at);
    cached.v = kv_chunk(v_at);
#if KV_BITS == 32
    cached.k_rest = kv_chunk(k_at + 4u);
    cached.v_rest = kv_chunk(v_at + 4u);
#endif
  }
  return cached;
}

#if KV_BITS < 16
// What stands for a code in the middle.
#if KV_BITS == 8
const CENTRE = 128.0;
#else
const CENTRE = 8.0;
#endif

// Codes are halves of 1024 and more as soon as they have that exponent.
fn put_codes(rows_at: u32, i: u32, words: vec4<u32>) {
  let memory_halves = bufferView<array<f16>>(&memory, 0u);
  let at = rows_at / 2u + i / OCTETS * ROW_PITCH + i % OCTETS;
#for j in 4
#if KV_BITS == 8
  let codes$j = (words[$j / 2u] >> (8u * ($j % 2u))) & 0x00ff00ffu;
  const FIRST$j = 4u * ($j / 2u) + $j % 2u;
  const SECOND$j = FIRST$j + 2u;
#else
  let codes$j = (words.x >> (4u * $j)) & 0x000f000fu;
  const FIRST$j = $j;
  const SECOND$j = FIRST$j + 4u;
#endif
  let pair$j = bitcast<vec2<f16>>(codes$j | 0x64006400u) - vec2<f16>(1024.0h + f16(CENTRE));
  memory_halves[at + FIRST$j * OCTETS] = pair$j.x;
  memory_halves[at + SECOND$j * OCTETS] = pair$j.y;
#endfor
}

// The words of scale and offset of K and V of this lane's token.
fn load_folds(part: Part, span: Span, kv_head: u32, token: u32) -> vec2<u32> {
  if (token < span.begin || token >= span.end) {
    return vec2<u32>();
  }
  let block_at = params.layer_at + block_of(part.slot, token / BLOCK_TOKENS) * BLOCK_WORDS;
  return vec2<u32>(
    kv_word(kv_params_at(block_at, kv_head, 0u, token % BLOCK_TOKENS)),
    kv_word(kv_params_at(block_at, kv_head, 1u, token % BLOCK_TOKENS)));
}

// Of four tokens, for centred codes.
struct Folds {
  scale: vec4<f32>,
  offset: vec4<f32>,
}

// Of tokens `token`, the next, and the two that are four behind, of the words that the lanes have. All lanes call.
fn folds_of(word: u32, token: u32) -> Folds {
  let a = unpack2x16float(subgroupShuffle(word, token));
  let b = unpack2x16float(subgroupShuffle(word, token + 1u));
  let c = unpack2x16float(subgroupShuffle(word, token + 4u));
  let d = unpack2x16float(subgroupShuffle(word, token + 5u));
  let scale = vec4<f32>(a.x, b.x, c.x, d.x);
  return Folds(scale, vec4<f32>(a.y, b.y, c.y, d.y) + CENTRE * scale);
}
#endif

fn store_cached(cached: Cached, i: u32) {
  if (i < TOKENS * OCTETS) {
#if KV_BITS == 32
    put_octet(KEYS_AT, i, Octet(bitcast<vec4<f32>>(cached.k), bitcast<vec4<f32>>(cached.k_rest)));
    put_octet(VALUES_AT, i, Octet(bitcast<vec4<f32>>(cached.v), bitcast<vec4<f32>>(cached.v_rest)));
#elif KV_BITS == 16
    put_octet(KEYS_AT, i, Octet(plain_quad(cached.k, 0u), plain_quad(cached.k, 1u)));
    put_octet(VALUES_AT, i, Octet(plain_quad(cached.v, 0u), plain_quad(cached.v, 1u)));
#else
    put_codes(KEYS_AT, i, cached.k);
    put_codes(VALUES_AT, i, cached.v);
#endif
  }
}
