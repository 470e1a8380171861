// w of shared/key_bias.wgsl as rope_append hands it to prefill_attention: f32 [rows][heads][BIAS_PAIRS][2] in scratch.
// Needs: params.terms_at, params.terms_stride.

// Floats before the w of a row's head.
fn terms_before(row: u32, head: u32) -> u32 {
  return params.terms_at + row * params.terms_stride + head * 2u * BIAS_PAIRS;
}
