// Of a gated linear. Define GATE: 1 silu, 2 gelu_tanh.

// Arguments are bounded: beyond them the function is flat in f32, and exp would leave the finite numbers.
fn activation(g: f32) -> f32 {
#if GATE == 1
  return g / (1.0 + exp(-max(g, -80.0)));
#else
  return 0.5 * g * (1.0 + tanh(clamp(0.7978845608028654 * (g + 0.044715 * g * g * g), -15.0, 15.0)));
#endif
}
