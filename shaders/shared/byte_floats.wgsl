// 256 + each byte: conversions of integers are slow, and these bits are the float that has a unit of 1 there.
fn byte_floats(word: u32) -> vec4<f32> {
  let shifted = vec4<u32>(word << 15u, word << 7u, word >> 1u, word >> 9u);
  return bitcast<vec4<f32>>((shifted & vec4<u32>(0x007f8000u)) | vec4<u32>(0x43800000u));
}
