// Which tokens a workgroup of prefill attention looks at, and which of them a row sees.
// Needs: `#import kv`, `chunk_part`; params.window, num_splits, softcap; TOKENS; defines RATIO, SOFTCAP.

const HIDDEN = -3.0e38;

// Tokens from `begin` to before `end` are seen by some row; this split's tiles of them start with first_tile. Blocks wholly before
// `begin` may have been given back.
struct Span {
  begin: u32,
  end: u32,
  first_tile: u32,
}

fn span_of(part: Part, queries: u32, split: u32) -> Span {
  let lowest = part.start_position + part.first_query / RATIO;
  let last = part.start_position + min(part.num_rows - 1u, (part.first_query + queries - 1u) / RATIO) + 1u;
  let begin = lowest + 1u - min(lowest + 1u, params.window);
  let num_tiles = (last + TOKENS - 1u) / TOKENS - begin / TOKENS;
  let share = (num_tiles + params.num_splits - 1u) / params.num_splits;
  let first_tile = (begin / TOKENS + split * share) * TOKENS;
  return Span(begin, min(last, first_tile + share * TOKENS), first_tile);
}

fn visible(at: vec4<u32>, position: u32) -> vec4<bool> {
  return (at <= vec4<u32>(position)) & (vec4<u32>(position) - min(at, vec4<u32>(position)) < vec4<u32>(params.window));
}

fn capped(s: vec4<f32>) -> vec4<f32> {
#if SOFTCAP
  return params.softcap * precise_tanh(s / params.softcap);
#else
  return s;
#endif
}
