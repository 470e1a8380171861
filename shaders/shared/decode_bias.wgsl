// What decode_attention.wgsl adds to its scores where K's bias is kept out of the cache (key_bias.wgsl): in f32 whatever the
// rest is in, because w is as large as the bias. Query heads are lanes as in q_tile; nothing is left of it without pairs.

#if BIAS_PAIRS > 0
#import rotary
#import key_bias

// w by [pair][cos, sin][head group].
var<workgroup> term_tile: array<vec4<f32>, 2 * BIAS_PAIRS * HEAD_GROUPS>;
var<workgroup> pair_tile: array<u32, BIAS_PAIRS>;

fn term(at: u32, head: u32) -> f32 {
  return select(0.0, scratch[at + min(head, RATIO - 1u) * 2u * BIAS_PAIRS], head < RATIO);
}
#endif

fn load_bias(row: u32, kv_head: u32, first_head: u32, index: u32) {
#if BIAS_PAIRS > 0
  for (var i = index; i < 2u * BIAS_PAIRS * HEAD_GROUPS; i += 128u) {
    let at = terms_before(row, kv_head * RATIO) + i / HEAD_GROUPS;
    let head = first_head + 4u * (i % HEAD_GROUPS);
    term_tile[i] = vec4<f32>(term(at, head), term(at, head + 1u), term(at, head + 2u), term(at, head + 3u));
  }
  for (var j = index; j < BIAS_PAIRS; j += 128u) {
    pair_tile[j] = bias_pair(kv_head, j);
  }
#endif
}

// The terms of every second pair, from number `part` on, of the key at `position`; a column for each head group.
fn bias_terms(position: u32, part: u32) -> mat2x4<f32> {
  var sums = mat2x4<f32>();
#if BIAS_PAIRS > 0
  for (var j = part; j < BIAS_PAIRS; j += 2u) {
    let angle = rope_angle(position, pair_tile[j]);
    let at = 2u * j * HEAD_GROUPS;
    sums[0] += angle.x * term_tile[at] + angle.y * term_tile[at + HEAD_GROUPS];
#if HEAD_GROUPS == 2
    sums[1] += angle.x * term_tile[at + 1u] + angle.y * term_tile[at + 3u];
#endif
  }
#endif
  return sums;
}
