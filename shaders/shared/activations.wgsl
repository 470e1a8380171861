// Eight k of one row of activations on their way into the workgroup memory of gemv, zero beyond K, where other data lies, NaN
// perhaps. Needs: weights, scratch: array<vec4<f32>>; params.in_at, in_stride, norm_at (in vec4); defines K, K_TAIL, NORM.

#import inside
#import floats8

fn inside(x: Floats8, k: u32) -> Floats8 {
  return Floats8(inside4(x.a, k), inside4(x.b, k + 4u));
}

fn load8(k: u32, m: u32) -> Floats8 {
  let at = params.in_at + m * params.in_stride + k / 4u;
  return inside(Floats8(scratch[at], scratch[at + 1u]), k);
}

#if NORM
fn gained8(x: Floats8, k: u32) -> Floats8 {
  let g = params.norm_at + k / 4u;
  return inside(Floats8(x.a * bitcast<vec4<f32>>(weights[g]), x.b * bitcast<vec4<f32>>(weights[g + 1u])), k);
}
#endif
