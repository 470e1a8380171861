// What workgroups of gemm_integer.wgsl that share K have left, summed and finished: y[m, n] = sum_s parts[s, m, n]
//   then bias, scale, softcap and residual as in shared/linear_epilogue.wgsl; out[m, n] = y[m, n]
//   NORM: and what integer_rows.wgsl makes of out for the next linear, which norms it, at prepared_at
// parts: f32 [num_parts][M, 4 part_stride] in scratch; out: f32 [M, K], K = N of the linear, with NORM a multiple of 4.
// Thread map: LANES threads, a workgroup, for a row; eight consecutive n each, ITEMS times. All that depends on the order of sums is
// as in integer_rows.wgsl: so are the results.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const WG_SIZE = LANES;
#import packed
#import linear_epilogue
#import floats8
#if NORM
#import integer_octets
#import inside
#import gained
#import reduce
#endif

// Four neighbouring n of a row, zero from K on; four parts are on their way at a time.
fn finished4(m: u32, four: u32) -> vec4<f32> {
  var y = vec4<f32>();
  if (four * 4u >= K) {
    return y;
  }
  let at = params.parts_at + m * params.part_stride + four;
  let stride = params.num_rows * params.part_stride;
  for (var part = 0u; part < params.num_parts; part += 4u) {
#for i in 4
    let y$i = scratch[at + min(part + $i, params.num_parts - 1u) * stride];
#endfor
#for i in 4
    y += select(vec4<f32>(), y$i, part + $i < params.num_parts);
#endfor
  }
#for i in 4
  y[$i] = scaled(biased(y[$i], four * 4u + $i), four * 4u + $i, m);
#endfor
  return y;
}

fn store4(y: vec4<f32>, m: u32, four: u32) {
#for i in 4
  if (four * 4u + $i < K) {
    store(y[$i], four * 4u + $i, m);
  }
#endfor
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let m = wg.x;
  // Loads first: none waits behind a store.
#for i in ITEMS
  let octet$i = $i * LANES + index;
  let y$i = Floats8(finished4(m, octet$i * 2u), finished4(m, octet$i * 2u + 1u));
#endfor
#for i in ITEMS
  store4(y$i.a, m, octet$i * 2u);
  store4(y$i.b, m, octet$i * 2u + 1u);
#endfor
#if NORM
  var squares = 0.0;
#for i in ITEMS
  squares += squares_of(y$i);
#endfor
  let inverse = inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#for i in ITEMS
  put_octet(m, octet$i, gained(y$i, octet$i, inverse));
#endfor
#endif
}
