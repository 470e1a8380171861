// Packed weights (src/weights/packed-tensor.ts). Needs: var<storage, read> weights: array<vec4<u32>>.

fn weight_word(index: u32) -> u32 {
  return weights[index / 4u][index % 4u];
}

// (s, z) of one row and group: w = s * (u - z)
fn scale_zero(index: u32) -> vec2<f32> {
  return unpack2x16float(weight_word(index));
}

fn codes4_low(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<u32>(word, word >> 4u, word >> 8u, word >> 12u) & vec4<u32>(15u));
}

fn codes4_high(word: u32) -> vec4<f32> {
  return codes4_low(word >> 16u);
}

fn codes8(word: u32) -> vec4<f32> {
  return vec4<f32>(unpack4xU8(word));
}
