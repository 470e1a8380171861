// The terms of K's bias (shared/key_bias.wgsl) in prefill_attention.wgsl: w of its query rows in the place of queries, angles of the
// tile's tokens in the place of K. Needs: `#import prefill_tiles`; scratch, state.

#import rotary
#import key_bias
#import key_bias_terms

// Two pairs to a vector: (w, w') of a query row, (cos, sin, cos', sin') of a token; at most 8 vectors of each at a time.
const BIAS_QUADS = min(BIAS_PAIRS / 2u, 8u);
const BIAS_SLICES = BIAS_PAIRS / 2u / BIAS_QUADS;

fn load_bias(kv_head: u32, slice: u32, span: Span, first: u32, index: u32) {
  for (var i = index; i < TILE_ROWS * BIAS_QUADS; i += 128u) {
    let query = i / BIAS_QUADS;
    let quad = slice * BIAS_QUADS + i % BIAS_QUADS;
    let at = (terms_before(chunk_row(query), query_head(query, kv_head)) + 4u * quad) / 4u;
    row_tile[i / BIAS_QUADS * PITCH + i % BIAS_QUADS] = cell(scratch[at]);
  }
  // in the order of K rows
  for (var i = index; i < TOKENS * BIAS_QUADS; i += 128u) {
    let line = i / BIAS_QUADS;
    let pair = 2u * (slice * BIAS_QUADS + i % BIAS_QUADS);
    let token = seen_token(span, first + line);
    let angle = rope_angle(token, bias_pair(kv_head, pair));
    let angles = vec4<f32>(angle, rope_angle(token, bias_pair(kv_head, pair + 1u)));
    kv_tile[(line % 4u * 8u + line / 4u) * PITCH + i % BIAS_QUADS] = cell(angles);
  }
}

// The loaded slice's share of the scores of a query row and the tokens 4 tx .. 4 tx + 3.
fn bias_terms(line: u32, tx: u32) -> vec4<f32> {
  var sums = vec4<f32>();
  for (var column = 0u; column < BIAS_QUADS; column++) {
    let w = floats(row_tile[line * PITCH + column]);
    let at = tx * PITCH + column;
    const NEXT = 8u * PITCH;
    let a = floats(kv_tile[at]);
    let b = floats(kv_tile[at + NEXT]);
    let c = floats(kv_tile[at + 2u * NEXT]);
    let d = floats(kv_tile[at + 3u * NEXT]);
    sums += vec4<f32>(dot(w, a), dot(w, b), dot(w, c), dot(w, d));
  }
  return sums;
}
