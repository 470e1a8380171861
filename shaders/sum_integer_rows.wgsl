// sum_parts.wgsl of one linear and integer_rows.wgsl of the next, which norms what the first one leaves:
//   y[m, n] = sum_s parts[s, m, n], then bias, scale, softcap and residual; out[m, n] = y[m, n];
//   x[m, n] = y[m, n] * g[n] * rsqrt(mean_n(y[m]^2) + eps) as 16-bit integers at prepared_at
// parts: f32 [num_parts][M, 4 part_stride] in scratch; out: f32 [M, K], K = N of the first one, a multiple of 4.
// Thread map: LANES threads, a workgroup, for a row; eight consecutive n each, ITEMS times. All that depends on the order of sums is
// as in the two kernels: so are the results.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const WG_SIZE = LANES;
#import packed
#import linear_epilogue
#import part_sums
#import integer_octets
#import inside
#import gained
#import reduce

// Zero from K on.
fn finished4(m: u32, four: u32) -> vec4<f32> {
  var y = vec4<f32>();
  if (four * 4u < K) {
    let sum = part_sum(m, four);
#for i in 4
    y[$i] = scaled(biased(sum[$i], four * 4u + $i), four * 4u + $i, m);
#endfor
  }
  return y;
}

fn put4(y: vec4<f32>, m: u32, four: u32) {
  if (four * 4u < K) {
    scratch[(params.out_at + m * params.out_stride) / 4u + four] = y;
  }
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let m = wg.x;
  var squares = 0.0;
  // Loads first: none waits behind a store.
#for i in ITEMS
  let octet$i = $i * LANES + index;
  let y$i = Floats8(finished4(m, octet$i * 2u), finished4(m, octet$i * 2u + 1u));
  squares += squares_of(y$i);
#endfor
#for i in ITEMS
  put4(y$i.a, m, octet$i * 2u);
  put4(y$i.b, m, octet$i * 2u + 1u);
#endfor
  let inverse = inverseSqrt(lanes_sum(squares, index) / f32(K) + params.eps);
#for i in ITEMS
  put_octet(m, octet$i, gained(y$i, octet$i, inverse));
#endfor
}
