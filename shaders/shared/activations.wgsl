// ROWS rows of f32 activations, eight k at a time, in the arithmetic of the variant; a component of Rows for each row.
// Needs: weights, scratch: array<vec4<f32>>, params.in_at, in_stride, norm_at (in vec4); `#import dequant`, `reduce_rows`;
// defines ROWS, K, K_TAIL, NORM.

// Named fields, because registers cannot be indexed; those beyond ROWS stay zero and are never read.
struct Activations {
  m0: Eight,
  m1: Eight,
  m2: Eight,
  m3: Eight,
  squares: Rows,
}

// Beyond K lies other data, NaN perhaps: it is replaced, not multiplied away.
fn inside(x: Floats8, k: u32) -> Floats8 {
#if K_TAIL
  let ks = vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u);
  let a = select(vec4<f32>(), x.a, ks < vec4<u32>(K));
  let b = select(vec4<f32>(), x.b, ks + vec4<u32>(4u) < vec4<u32>(K));
  return Floats8(a, b);
#else
  return x;
#endif
}

fn load8(m: u32, k: u32) -> Floats8 {
  let at = params.in_at + m * params.in_stride + k / 4u;
  return inside(Floats8(scratch[at], scratch[at + 1u]), k);
}

fn gained(x: Floats8, k: u32) -> Floats8 {
#if NORM
  let at = params.norm_at + k / 4u;
  return inside(Floats8(x.a * bitcast<vec4<f32>>(weights[at]), x.b * bitcast<vec4<f32>>(weights[at + 1u])), k);
#else
  return x;
#endif
}

fn square(x: Floats8) -> f32 {
  let sum = fma(x.b, x.b, x.a * x.a);
  return (sum.x + sum.y) + (sum.z + sum.w);
}

fn load_rows(k: u32) -> Activations {
  var x = Activations();
  let f0 = load8(0u, k);
  x.m0 = eight(gained(f0, k));
#if ROWS > 1
  let f1 = load8(1u, k);
  x.m1 = eight(gained(f1, k));
#endif
#if ROWS > 2
  let f2 = load8(2u, k);
  x.m2 = eight(gained(f2, k));
#endif
#if ROWS > 3
  let f3 = load8(3u, k);
  x.m3 = eight(gained(f3, k));
#endif
#if NORM && ROWS == 1
  x.squares = square(f0);
#elif NORM && ROWS == 2
  x.squares = Rows(square(f0), square(f1));
#elif NORM && ROWS == 3
  x.squares = Rows(square(f0), square(f1), square(f2));
#elif NORM
  x.squares = Rows(square(f0), square(f1), square(f2), square(f3));
#endif
  return x;
}

fn dots(w: Eight, x: Activations) -> Rows {
#if ROWS == 1
  return dot8(w, x.m0);
#elif ROWS == 2
  return Rows(dot8(w, x.m0), dot8(w, x.m1));
#elif ROWS == 3
  return Rows(dot8(w, x.m0), dot8(w, x.m1), dot8(w, x.m2));
#else
  return Rows(dot8(w, x.m0), dot8(w, x.m1), dot8(w, x.m2), dot8(w, x.m3));
#endif
}
