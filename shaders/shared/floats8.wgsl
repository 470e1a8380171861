// Eight consecutive k of one row of activations.

struct Floats8 {
  a: vec4<f32>,
  b: vec4<f32>,
}

fn square(x: Floats8) -> f32 {
  let sum = fma(x.b, x.b, x.a * x.a);
  return (sum.x + sum.y) + (sum.z + sum.w);
}
