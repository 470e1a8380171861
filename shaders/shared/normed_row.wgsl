// A row of activations on its way into another form, eight consecutive k at a time, normed where NORM:
//   x[k] * g[k] * rsqrt(mean_k(x^2) + eps), zero from K on
// LANES threads share a row.
// Needs: weights: array<vec4<u32>>, scratch; params.in_at, in_stride, norm_at (in vec4), eps; defines K, K_TAIL, OCTETS, NORM, LANES, WG_SIZE.

#import inside
#import floats8
#if NORM
#import reduce
#import gained
#endif

fn x4(row: u32, k: u32) -> vec4<f32> {
  return inside4(bitcast<vec4<f32>>(scratch[params.in_at + row * params.in_stride + k / 4u]), k);
}

fn octet_of(row: u32, octet: u32) -> Floats8 {
  return Floats8(x4(row, octet * 8u), x4(row, octet * 8u + 4u));
}

// What the norm multiplies the row by; 1 without one. All threads call, in uniform control flow.
fn inverse_norm(row: u32, lane: u32, index: u32) -> f32 {
#if NORM
  var squares = 0.0;
  for (var octet = lane; octet < OCTETS; octet += LANES) {
    squares += squares_of(octet_of(row, octet));
  }
  return inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#else
  return 1.0;
#endif
}

fn normed_octet(row: u32, octet: u32, inverse: f32) -> Floats8 {
#if NORM
  return gained(octet_of(row, octet), octet, inverse);
#else
  return octet_of(row, octet);
#endif
}
