// The part of K's bias that a layer keeps out of its cache (src/kernels/key-bias.ts): for each kv head in the state buffer
// f32 bias [HEAD_DIM] to be subtracted from K, then u32 pairs [BIAS_PAIRS] and f32 (b_i, b_j) [BIAS_PAIRS] of the rotary
// pairs whose share of the score comes back. With q rotated and scaled, c and s of the key's position:
//   q . R b = sum over pairs of (q_i b_i + q_j b_j) c + (q_j b_i - q_i b_j) s = sum over pairs of w . (c, s)
// LAYERS_DIFFER: one program for several layers, each with params.bias_pairs <= BIAS_PAIRS; no bias where its table is NOWHERE.
// Needs: state, params.key_bias_at.

fn bias_pairs() -> u32 {
#if LAYERS_DIFFER
  return params.bias_pairs;
#else
  return BIAS_PAIRS;
#endif
}

fn bias_word(kv_head: u32, i: u32) -> u32 {
  return state[params.key_bias_at + kv_head * (HEAD_DIM + 3u * bias_pairs()) + i];
}

fn key_bias(kv_head: u32, d: u32) -> f32 {
#if LAYERS_DIFFER
  if (params.key_bias_at == NOWHERE) {
    return 0.0;
  }
#endif
  return bitcast<f32>(bias_word(kv_head, d));
}

fn bias_pair(kv_head: u32, j: u32) -> u32 {
  return bias_word(kv_head, HEAD_DIM + j);
}

fn pair_bias(kv_head: u32, j: u32) -> vec2<f32> {
  let i = HEAD_DIM + bias_pairs() + 2u * j;
  return bitcast<vec2<f32>>(vec2<u32>(bias_word(kv_head, i), bias_word(kv_head, i + 1u)));
}
