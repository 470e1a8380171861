// Rows of prefill_matrix.wgsl on their way into workgroup memory, eight dims a piece, in f16: queries, and cached keys and values.
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

fn query_octet(wg: vec3<u32>, i: u32) -> Octet {
  let query = wg.x * QUERIES + i / OCTETS;
  let row = query / RATIO;
  if (row >= params.num_rows) {
    return Octet();
  }
  let at = (params.q_at + row * params.q_stride + (wg.y * RATIO + query % RATIO) * HEAD_DIM) / 4u + i % OCTETS * 2u;
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

// Eight dims of a token's K and V as they are cached; zeros, which mean 0, where no row of this workgroup looks.
struct Cached {
  k: vec4<u32>,
  v: vec4<u32>,
  k_params: u32,
  v_params: u32,
#if KV_BITS == 32
  k_rest: vec4<u32>,
  v_rest: vec4<u32>,
#endif
}

fn load_cached(span: Span, kv_head: u32, first: u32, i: u32) -> Cached {
  let token = first + i / OCTETS;
  var cached: Cached;
  if (i < TOKENS * OCTETS && token >= span.begin && token < span.end) {
    let block_at = params.layer_at + block_of(params.slot, token / BLOCK_TOKENS) * BLOCK_WORDS;
    let k_at = kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS) + i % OCTETS * OCTET_WORDS;
    let v_at = kv_codes_at(block_at, kv_head, 1u, token % BLOCK_TOKENS) + i % OCTETS * OCTET_WORDS;
    cached.k = kv_chunk(k_at);
    cached.v = kv_chunk(v_at);
#if KV_BITS == 32
    cached.k_rest = kv_chunk(k_at + 4u);
    cached.v_rest = kv_chunk(v_at + 4u);
#elif KV_BITS < 16
    cached.k_params = kv_word(kv_params_at(block_at, kv_head, 0u, token % BLOCK_TOKENS));
    cached.v_params = kv_word(kv_params_at(block_at, kv_head, 1u, token % BLOCK_TOKENS));
#endif
  }
  return cached;
}

#if KV_BITS != 32
fn octet_of(words: vec4<u32>, row_params: u32) -> Octet {
  let octet = Octet(plain_quad(words, 0u), plain_quad(words, 1u));
#if KV_BITS < 16
  let so = plain_fold(row_params);
  return Octet(octet.a * so.x + so.y, octet.b * so.x + so.y);
#else
  return octet;
#endif
}
#endif

fn store_cached(cached: Cached, i: u32) {
  if (i < TOKENS * OCTETS) {
#if KV_BITS == 32
    put_octet(KEYS_AT, i, Octet(bitcast<vec4<f32>>(cached.k), bitcast<vec4<f32>>(cached.k_rest)));
    put_octet(VALUES_AT, i, Octet(bitcast<vec4<f32>>(cached.v), bitcast<vec4<f32>>(cached.v_rest)));
#else
    put_octet(KEYS_AT, i, octet_of(cached.k, cached.k_params));
    put_octet(VALUES_AT, i, octet_of(cached.v, cached.v_params));
#endif
  }
}
