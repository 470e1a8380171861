// What gemv and gemm do with a finished product y = (W x)[n, m]:
//   y += bias[n];  y = act(y[i]) * y[I + i] where gated;  y *= out_scale;  y = cap * tanh(y / cap);
//   out[m, n] = residual[m, n] + residual_scale * y
// Needs: weights, scratch: array<vec4<f32>>; the params of src/kernels/linear-call.ts; defines BIAS, GATE (0 none,
// 1 silu, 2 gelu_tanh), RESIDUAL, SOFTCAP.

fn biased(y: f32, n: u32) -> f32 {
#if BIAS
  return y + bitcast<f32>(weight_word(params.bias_at + n));
#else
  return y;
#endif
}

#if GATE > 0
#import activation
#endif

// What an output is added to.
fn residual_of(n: u32, m: u32) -> f32 {
#if RESIDUAL
  let at = params.residual_at + m * params.out_stride + n;
  return scratch[at / 4u][at % 4u];
#else
  return 0.0;
#endif
}

// What an output holds in the end.
fn scaled(value: f32, residual: f32) -> f32 {
  var y = value * params.out_scale;
#if SOFTCAP
  y = params.softcap * tanh(clamp(y / params.softcap, -15.0, 15.0));
#endif
#if RESIDUAL
  y = residual + params.residual_scale * y;
#endif
  return y;
}

fn store(y: f32, n: u32, m: u32) {
  let to = params.out_at + m * params.out_stride + n;
  scratch[to / 4u][to % 4u] = y;
}

fn put(value: f32, n: u32, m: u32) {
  store(scaled(value, residual_of(n, m)), n, m);
}

// One output of an ungated linear.
fn finish(y: f32, n: u32, m: u32) {
  put(biased(y, n), n, m);
}

#if GATE > 0
// Output i of a gated one, from rows i and I + i.
fn finish_gated(g: f32, u: f32, i: u32, m: u32) {
  put(activation(biased(g, i)) * biased(u, params.rows / 2u + i), i, m);
}
#endif
