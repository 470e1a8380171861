// The part of K's bias that a layer keeps out of its cache (src/kernels/key-bias.ts): for each kv head in the state buffer
// f32 bias [HEAD_DIM] to be subtracted from K, then u32 pairs [BIAS_PAIRS] and f32 (b_i, b_j) [BIAS_PAIRS] of the rotary
// pairs whose share of the score comes back. With q rotated and scaled, c and s of the key's position:
//   q . R b = sum over pairs of (q_i b_i + q_j b_j) c + (q_j b_i - q_i b_j) s = sum over pairs of w . (c, s)
// Needs: state, params.key_bias_at.

const BIAS_STRIDE = HEAD_DIM + 3 * BIAS_PAIRS;

fn key_bias(kv_head: u32, d: u32) -> f32 {
  return bitcast<f32>(state[params.key_bias_at + kv_head * BIAS_STRIDE + d]);
}

fn bias_pair(kv_head: u32, j: u32) -> u32 {
  return state[params.key_bias_at + kv_head * BIAS_STRIDE + HEAD_DIM + j];
}

fn pair_bias(kv_head: u32, j: u32) -> vec2<f32> {
  let d = HEAD_DIM + BIAS_PAIRS + 2u * j;
  return vec2<f32>(key_bias(kv_head, d), key_bias(kv_head, d + 1u));
}
