// What a workgroup of prefill_matrix.wgsl looks at, and what it makes of a row's products: scores and probabilities.
// Needs: the params and the constants of prefill_matrix.wgsl, and its workgroup memory; `#import kv`.

const HIDDEN = -3.0e38;
const LEEWAY = 9.0;
// Far from a scale that a value could have; its logarithm is finite.
const LEAST_SCALE = 1.0e-12;

struct Span {
  begin: u32,
  end: u32,
  first_tile: u32,
}

// Tokens that any of this workgroup's rows sees, and this split's tiles of them.
fn span_of(part: Part, split: u32) -> Span {
  let lowest = part.start_position + part.first_query / RATIO;
  let last = part.start_position + min(part.num_rows - 1u, (part.first_query + QUERIES - 1u) / RATIO) + 1u;
  // Blocks wholly before the window may have been given back: nothing is read from them.
  let begin = lowest + 1u - min(lowest + 1u, params.window);
  let num_tiles = (last + TOKENS - 1u) / TOKENS - begin / TOKENS;
  let share = (num_tiles + params.num_splits - 1u) / params.num_splits;
  let first_tile = (begin / TOKENS + split * share) * TOKENS;
  return Span(begin, min(last, first_tile + share * TOKENS), first_tile);
}

// Four products of a row (two, and two behind the next two).
fn products_at(cell: u32) -> vec4<f32> {
  let scores = bufferView<array<f32>>(&memory, SCORES_AT);
  return vec4<f32>(scores[cell], scores[cell + 1u], scores[cell + 4u], scores[cell + 5u]);
}

// Their scores: capped, hidden where the row does not look.
fn seen_scores(products: vec4<f32>, token: u32, position: u32) -> vec4<f32> {
  var s = products;
#if SOFTCAP
  s = params.softcap * precise_tanh(s / params.softcap);
#endif
  let at = vec4<u32>(token) + vec4<u32>(0u, 1u, 4u, 5u);
  let seen = (at <= vec4<u32>(position)) & (vec4<u32>(position) - min(at, vec4<u32>(position)) < vec4<u32>(params.window));
  return select(vec4<f32>(HIDDEN), s, seen);
}

fn probabilities(s: vec4<f32>, top: f32) -> vec4<f32> {
  return select(vec4<f32>(), exp(s - top), s > vec4<f32>(HIDDEN));
}
