// GEMM on subgroup matrices, f16 in and f32 accumulated: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM, then bias, gate, scale, softcap and residual as in gemm.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [M, K] in scratch; out: f32 [M, N] (gated: [M, N / 2]).
// Thread map: workgroup (i, j) makes a BM x BN tile of y, i along m so that neighbours share their weights, in
// WARPS_M x WARPS_N subgroups of TM x TN matrices each. x and the dequantised W pass through workgroup memory BK columns at
// a time, eight k of a row in one piece. Within a piece k stand as codes leave their word: of x and W alike, so that no
// product changes. Gated: the first half of the tile's columns are gate rows of W, the second half their partners.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import fours
#import linear_epilogue

const WG_SIZE = 32u * WARPS_M * WARPS_N;
const OCTETS = BK / 8u;
// In octets; odd, so that rows lie in different banks.
const STRIDE = OCTETS + 1u;
const X_ITEMS = BM * OCTETS / WG_SIZE;
const W_ITEMS = BN * OCTETS / WG_SIZE;
const ROW_STEP = WG_SIZE / OCTETS;
const OUT_STRIDE = 16u * WARPS_N;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

var<workgroup> x_memory: buffer<BM * STRIDE * 16>;
var<workgroup> w_memory: buffer<BN * STRIDE * 16>;
var<workgroup> out_tile: array<f32, 256 * WARPS_M * WARPS_N>;
#if NORM
var<workgroup> inverse_cell: array<f32, BM>;
#endif

// Row of W for column c of this workgroup's tile, bounded so that a surplus column reads something that exists.
fn weight_row(tile: u32, c: u32) -> u32 {
#if GATE > 0
  let half = params.rows / 2u;
  return min(tile * (BN / 2u) + c % (BN / 2u), half - 1u) + select(0u, half, c >= BN / 2u);
#else
  return min(tile * BN + c, params.rows - 1u);
#endif
}

fn pair(x: f16, y: f16) -> u32 {
  return bitcast<u32>(vec2<f16>(x, y));
}

fn x_octet(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  let p = four(a);
  let q = four(b);
#if BITS == 4
  return vec4<u32>(pair(p.x, q.x), pair(p.y, q.y), pair(p.z, q.z), pair(p.w, q.w));
#elif BITS == 8
  return vec4<u32>(pair(p.x, p.z), pair(p.y, p.w), pair(q.x, q.z), pair(q.y, q.w));
#else
  return vec4<u32>(pair(p.x, p.y), pair(p.z, p.w), pair(q.x, q.y), pair(q.z, q.w));
#endif
}

#if BITS < 16
// Two codes that stand 16 bits apart, as w.
fn weighed(codes: u32, s: vec2<f16>, z: vec2<f16>) -> u32 {
#if BITS == 4
  let u = bitcast<vec2<f16>>((codes & 0x000f000fu) | 0x64006400u) - vec2<f16>(1024.0h);
#else
  let u = bitcast<vec2<f16>>((codes & 0x00ff00ffu) | 0x64006400u) - vec2<f16>(1024.0h);
#endif
  return bitcast<u32>((u - z) * s);
}
#endif

fn w_octet(n: u32, k: u32) -> vec4<u32> {
#if K_TAIL
  if (k >= K) {
    return vec4<u32>();
  }
#endif
  let word = params.codes_at * 4u + (n * PADDED_K + k) / (32u / BITS);
#if BITS == 16
  return vec4<u32>(weight_word(word), weight_word(word + 1u), weight_word(word + 2u), weight_word(word + 3u));
#else
  let sz = bitcast<vec2<f16>>(weight_word(params.scales_at + n * NUM_GROUPS + k / GROUP_SIZE));
  let s = vec2<f16>(sz.x);
  let z = vec2<f16>(sz.y);
  let a = weight_word(word);
#if BITS == 4
  return vec4<u32>(weighed(a, s, z), weighed(a >> 4u, s, z), weighed(a >> 8u, s, z), weighed(a >> 12u, s, z));
#else
  let b = weight_word(word + 1u);
  return vec4<u32>(weighed(a, s, z), weighed(a >> 8u, s, z), weighed(b, s, z), weighed(b >> 8u, s, z));
#endif
#endif
}

#if NORM
// A thread's items of x lie in rows ROW_STEP apart, OCTETS neighbouring threads to a row.
fn inverse_norms(squares: vec4<f32>, index: u32) {
  for (var item = 0u; item < X_ITEMS; item++) {
    out_tile[item * WG_SIZE + index] = squares[item];
  }
  workgroupBarrier();
  for (var row = index; row < BM; row += WG_SIZE) {
    var sum = 0.0;
    for (var i = 0u; i < OCTETS; i++) {
      sum += out_tile[row / ROW_STEP * WG_SIZE + row % ROW_STEP * OCTETS + i];
    }
    inverse_cell[row] = inverseSqrt(sum / f32(K) + params.eps);
  }
  workgroupBarrier();
}
#endif

fn scaled(value: f32, local_m: u32) -> f32 {
#if NORM
  return value * inverse_cell[local_m];
#else
  return value;
#endif
}

// The matrices (i, j) of all subgroups, which stand in out_tile.
fn finish_tiles(wg: vec3<u32>, i: u32, j: u32, index: u32) {
#if GATE > 0
  const COLUMNS = OUT_STRIDE / 2u;
#else
  const COLUMNS = OUT_STRIDE;
#endif
  for (var at = index; at < 16u * WARPS_M * COLUMNS; at += WG_SIZE) {
    let row = at / COLUMNS;
    let column = at % COLUMNS;
    let local_m = (row / 16u * TM + i) * 16u + row % 16u;
    let local_n = (column / 16u * TN + j) * 16u + column % 16u;
    let m = wg.x * BM + local_m;
    let y = scaled(out_tile[row * OUT_STRIDE + column], local_m);
#if GATE > 0
    let n = wg.y * (BN / 2u) + local_n;
    if (m < params.num_rows && n < params.rows / 2u) {
      finish_gated(y, scaled(out_tile[row * OUT_STRIDE + COLUMNS + column], local_m), n, m);
    }
#else
    let n = wg.y * BN + local_n;
    if (m < params.num_rows && n < params.rows) {
      finish(y, n, m);
    }
#endif
  }
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let x_octets = bufferView<array<vec4<u32>>>(&x_memory, 0);
  let w_octets = bufferView<array<vec4<u32>>>(&w_memory, 0);
  let x_halves = bufferView<array<f16>>(&x_memory, 0);
  let w_halves = bufferView<array<f16>>(&w_memory, 0);
  let warp = index / 32u;
  let warp_m = warp % WARPS_M;
  let warp_n = warp / WARPS_M;
  var sums: array<Sum, TM * TN>;
  var squares = vec4<f32>();
  for (var first = 0u; first < K; first += BK) {
    for (var item = 0u; item < X_ITEMS; item++) {
      let row = index / OCTETS + item * ROW_STEP;
      let k = first + index % OCTETS * 8u;
      let a = x4(wg.x * BM + row, k);
      let b = x4(wg.x * BM + row, k + 4u);
#if NORM
      squares[item] += dot(a, a) + dot(b, b);
#endif
      x_octets[row * STRIDE + index % OCTETS] = x_octet(gained(a, k), gained(b, k + 4u));
    }
    for (var item = 0u; item < W_ITEMS; item++) {
      let row = index / OCTETS + item * ROW_STEP;
      w_octets[row * STRIDE + index % OCTETS] = w_octet(weight_row(wg.y, row), first + index % OCTETS * 8u);
    }
    workgroupBarrier();
    for (var k = 0u; k < BK; k += 16u) {
      var left: array<Left, TM>;
      for (var i = 0u; i < TM; i++) {
        left[i] = subgroupMatrixLoad<Left, row_major>(x_halves, (warp_m * TM + i) * 16u * STRIDE * 8u + k, STRIDE * 8u);
      }
      for (var j = 0u; j < TN; j++) {
        let right = subgroupMatrixLoad<Right, col_major>(w_halves, (warp_n * TN + j) * 16u * STRIDE * 8u + k, STRIDE * 8u);
        for (var i = 0u; i < TM; i++) {
          sums[i * TN + j] = subgroupMatrixMultiplyAccumulate(left[i], right, sums[i * TN + j]);
        }
      }
    }
    workgroupBarrier();
  }
#if NORM
  inverse_norms(squares, index);
#endif
  for (var i = 0u; i < TM; i++) {
    for (var j = 0u; j < TN; j++) {
      subgroupMatrixStore<row_major>(&out_tile, warp_m * 16u * OUT_STRIDE + warp_n * 16u, sums[i * TN + j], OUT_STRIDE);
      workgroupBarrier();
      finish_tiles(wg, i, j, index);
      workgroupBarrier();
    }
  }
}
