// What a workgroup of prefill_attention.wgsl looks at: its query rows (chunk row, head of the kv head; heads fastest) and their
// tokens. Nothing else there knows where a chunk's rows stand.
// Needs: state; `#import state`, `kv`; params.q_at, q_stride, layer_at, slot, start_position, num_rows, num_splits, window;
// TOKENS of prefill_tiles; defines TILE_ROWS, RATIO, SPLIT.

// Rows past the chunk compute what its last row does, and nobody keeps it: so all that is read is there.
fn chunk_row(query: u32) -> u32 {
  return min(query / RATIO, params.num_rows - 1u);
}

fn query_head(query: u32, kv_head: u32) -> u32 {
  return kv_head * RATIO + query % RATIO;
}

fn query_position(query: u32) -> u32 {
  return params.start_position + query / RATIO;
}

// In vectors of scratch: the first dims of the head.
fn query_at(query: u32, kv_head: u32) -> u32 {
  return (params.q_at + chunk_row(query) * params.q_stride + query_head(query, kv_head) * HEAD_DIM) / 4u;
}

// Tokens from `begin` to before `end` are seen by some row; this split's tiles of them start with first_tile.
struct Span {
  begin: u32,
  end: u32,
  first_tile: u32,
}

fn span_of(wg: vec3<u32>) -> Span {
  let first = wg.x * TILE_ROWS;
  let lowest = params.start_position + first / RATIO;
  let last = params.start_position + min(params.num_rows - 1u, (first + TILE_ROWS - 1u) / RATIO) + 1u;
  let begin = lowest + 1u - min(lowest + 1u, params.window);
#if SPLIT
  let num_tiles = (last + TOKENS - 1u) / TOKENS - begin / TOKENS;
  let share = (num_tiles + params.num_splits - 1u) / params.num_splits;
  let first_tile = (begin / TOKENS + wg.z * share) * TOKENS;
  return Span(begin, min(last, first_tile + share * TOKENS), first_tile);
#else
  return Span(begin, last, begin / TOKENS * TOKENS);
#endif
}

// The next token that somebody sees: blocks wholly before the window may have been given back, those behind the end not been
// taken, and what a row does not see must still be a number.
fn seen_token(span: Span, token: u32) -> u32 {
  return clamp(token, span.begin, span.end - 1u);
}

// The word at which the block of a token starts.
fn block_at(span: Span, token: u32) -> u32 {
  return params.layer_at + block_of(params.slot, seen_token(span, token) / BLOCK_TOKENS) * BLOCK_WORDS;
}
