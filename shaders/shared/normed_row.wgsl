// A row of activations on its way into another form, eight consecutive k at a time, normed where NORM:
//   x[k] * g[k] * rsqrt(mean_k(x^2) + eps), zero from K on
// LANES threads share a row.
// Needs: weights, scratch: array<vec4<u32>>; params.in_at, in_stride, norm_at (in vec4), eps; defines K, K_TAIL, OCTETS, NORM, LANES, WG_SIZE.

#import inside
#import floats8
#if NORM
#import reduce
#endif

fn x4(row: u32, k: u32) -> vec4<f32> {
  return inside4(bitcast<vec4<f32>>(scratch[params.in_at + row * params.in_stride + k / 4u]), k);
}

#if NORM
fn gain4(k: u32) -> vec4<f32> {
  return inside4(bitcast<vec4<f32>>(weights[params.norm_at + k / 4u]), k);
}
#endif

// What the norm multiplies the row by; 1 without one. All threads call, in uniform control flow.
fn inverse_norm(row: u32, lane: u32, index: u32) -> f32 {
#if NORM
  var squares = 0.0;
  for (var octet = lane; octet < OCTETS; octet += LANES) {
    let a = x4(row, octet * 8u);
    let b = x4(row, octet * 8u + 4u);
    squares += dot(a, a) + dot(b, b);
  }
  return inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#else
  return 1.0;
#endif
}

fn normed_octet(row: u32, octet: u32, inverse: f32) -> Floats8 {
  let a = x4(row, octet * 8u);
  let b = x4(row, octet * 8u + 4u);
#if NORM
  return Floats8(a * (gain4(octet * 8u) * inverse), b * (gain4(octet * 8u + 4u) * inverse));
#else
  return Floats8(a, b);
#endif
}
