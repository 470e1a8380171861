// The norm of eight consecutive k of a row: x[k] * g[k] * inverse, inverse = rsqrt(mean_k(x^2) + eps).
// Needs: weights; params.norm_at (in vec4); `#import inside`, `floats8`.

fn squares_of(x: Floats8) -> f32 {
  return dot(x.a, x.a) + dot(x.b, x.b);
}

fn gain4(k: u32) -> vec4<f32> {
  return inside4(bitcast<vec4<f32>>(weights[params.norm_at + k / 4u]), k);
}

fn scaled_octet(x: Floats8, gain: Floats8, inverse: f32) -> Floats8 {
  return Floats8(x.a * (gain.a * inverse), x.b * (gain.b * inverse));
}

fn gained(x: Floats8, octet: u32, inverse: f32) -> Floats8 {
  return scaled_octet(x, Floats8(gain4(octet * 8u), gain4(octet * 8u + 4u)), inverse);
}
