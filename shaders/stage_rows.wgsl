// Activations as gemv_rows.wgsl takes them: f32 [rows, K] to staged units (shared/integer_units.wgsl) [rows, UNITS].
// NORM: of x[m, k] * g[k] * rsqrt(mean_k(x[m]^2) + eps)
// Thread map: workgroup (i, m) makes WG_UNITS units of row m from unit i * WG_UNITS on, four neighbouring threads a unit. With a norm
// each workgroup sums the squares of the whole row: that is faster than a second look at what others have summed.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const WG_UNITS = WG_SIZE / 4u;
const STAGED_UNITS = WG_UNITS;
const OCTETS = (K + 7u) / 8u;
#import packed
#import quads
#import activations
#import integer_units
#if NORM
#import reduce
#endif

#if NORM
fn inverse_norm(m: u32, index: u32) -> f32 {
  var squares = 0.0;
  for (var octet = index; octet < OCTETS; octet += WG_SIZE) {
    squares += square(load8(octet * 8u, m));
  }
  return inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
}
#endif

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let first = wg.x * WG_UNITS;
  let octet = first * 4u + index;
  var x = Floats8();
  if (octet < OCTETS) {
    x = load8(octet * 8u, wg.y);
  }
#if NORM
  let inverse = inverse_norm(wg.y, index);
  if (octet < OCTETS) {
    x = gained8(x, octet * 8u);
  }
  x = Floats8(x.a * inverse, x.b * inverse);
#endif
  stage_octet(index / 4u, index % 4u, true, x, index);
  workgroupBarrier();
  // Written in a row: each unit alone would be five pieces.
  for (var i = index; i < WG_UNITS * 5u; i += WG_SIZE) {
    if (first + i / 5u < UNITS) {
      scratch[params.out_at + (wg.y * UNITS + first) * 5u + i] = bitcast<vec4<f32>>(staged[i / 5u][i % 5u]);
    }
  }
}
