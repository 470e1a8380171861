// What a workgroup of prefill_attention.wgsl looks at: its query rows (row of a prompt, head of the kv head; heads fastest) and their
// tokens. Nothing else there knows where a chunk's rows stand.
// Needs: state; `#import state`, `kv`, `chunk_part`, `prefill_span`; params.q_at, q_stride, layer_at; defines RATIO.

// Of this workgroup. For places only: what decides where all threads go is taken from a value that is known to be uniform.
var<private> own: Part;

// Of the workgroup's query row i. Rows past the prompt compute what its last row does, and nobody keeps it: so all that is read is
// there.
fn chunk_row(i: u32) -> u32 {
  return step_row(own, min((own.first_query + i) / RATIO, own.num_rows - 1u));
}

fn query_head(i: u32, kv_head: u32) -> u32 {
  return kv_head * RATIO + (own.first_query + i) % RATIO;
}

fn query_position(i: u32) -> u32 {
  return own.start_position + (own.first_query + i) / RATIO;
}

// In vectors of scratch: the first dims of the head.
fn query_at(i: u32, kv_head: u32) -> u32 {
  return (params.q_at + chunk_row(i) * params.q_stride + query_head(i, kv_head) * HEAD_DIM) / 4u;
}

// The next token that somebody sees: blocks wholly before the window may have been given back, those behind the end not been
// taken, and what a row does not see must still be a number.
fn seen_token(span: Span, token: u32) -> u32 {
  return clamp(token, span.begin, span.end - 1u);
}

// The word at which the block of a token starts.
fn block_at(span: Span, token: u32) -> u32 {
  return params.layer_at + block_of(own.slot, seen_token(span, token) / BLOCK_TOKENS) * BLOCK_WORDS;
}
