// What passes through the tiles of gemm, four consecutive k at a time, in the arithmetic of the variant.
// Needs: weights, scratch: array<vec4<f32>>; the params of src/kernels/linear-call.ts; `#import packed`; defines BITS, K,
// PADDED_K, K_TAIL, NUM_GROUPS, GROUP_SIZE, NORM.

#import inside

#if F16
alias Four = vec4<f16>;
#else
alias Four = vec4<f32>;
#endif

fn four(v: vec4<f32>) -> Four {
#if F16
  // Outside the range of half there would be infinities.
  return vec4<f16>(clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
#else
  return v;
#endif
}

fn x4(m: u32, k: u32) -> vec4<f32> {
  return inside4(scratch[params.in_at + min(m, params.num_rows - 1u) * params.in_stride + k / 4u], k);
}

fn gained(x: vec4<f32>, k: u32) -> vec4<f32> {
#if NORM
  return inside4(x * bitcast<vec4<f32>>(weights[params.norm_at + k / 4u]), k);
#else
  return x;
#endif
}

fn w4(n: u32, k: u32) -> vec4<f32> {
#if K_TAIL
  if (k >= K) {
    return vec4<f32>();
  }
#endif
  let word = params.codes_at * 4u + (n * PADDED_K + k) / (32u / BITS);
#if BITS == 16
  return vec4<f32>(unpack2x16float(weight_word(word)), unpack2x16float(weight_word(word + 1u)));
#else
  let sz = scale_zero(params.scales_at + n * NUM_GROUPS + k / GROUP_SIZE);
#if BITS == 8
  return sz.x * (codes8(weight_word(word)) - sz.y);
#else
  return sz.x * (codes4_low(weight_word(word) >> (k % 8u * 4u)) - sz.y);
#endif
#endif
}

fn mac(x: Four, w: Four, sum: f32) -> f32 {
#if F16
  let pair = vec2<f32>(fma(x.zw, w.zw, x.xy * w.xy));
  return sum + (pair.x + pair.y);
#else
  return fma(x.x, w.x, fma(x.y, w.y, fma(x.z, w.z, fma(x.w, w.w, sum))));
#endif
}

fn mac4(x: Four, w0: Four, w1: Four, w2: Four, w3: Four, sum: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(mac(x, w0, sum.x), mac(x, w1, sum.y), mac(x, w2, sum.z), mac(x, w3, sum.w));
}
