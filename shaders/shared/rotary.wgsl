// Rows of a rope table. Needs: state, params.rope_at; ROTARY_DIM.

// (cos, sin) of a rotary pair at a position.
fn rope_angle(position: u32, pair: u32) -> vec2<f32> {
  let at = params.rope_at + position * ROTARY_DIM + 2u * pair;
  return vec2<f32>(bitcast<f32>(state[at]), bitcast<f32>(state[at + 1u]));
}
