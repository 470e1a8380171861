// GEMM on subgroup matrices, f16 in and f32 accumulated: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM, then bias, gate, scale, softcap and residual as in gemm.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [M, K] in scratch; out: f32 [M, N] (gated: [M, N / 2]).
// Thread map: workgroup (i, j) makes a BM x BN tile of y, i along m so that neighbours share their weights, in
// WARPS_M x WARPS_N subgroups of TM x TN matrices each, all with names: registers cannot be indexed. x and the dequantised W
// pass through workgroup memory 32 columns at a time, eight k of a row in one piece; the next pieces are on their way while
// these are multiplied. Within a piece k stand as codes leave their word: of x and W alike, so that no product changes.
// Gated: the first half of the tile's columns are gate rows of W, the second half their partners.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import fours
#import tile_rows
#import linear_epilogue

const WG_SIZE = 32u * WARPS_M * WARPS_N;
const BK = 32u;
const OCTETS = BK / 8u;
// In octets; odd, so that rows lie in different banks.
const STRIDE = OCTETS + 1u;
const ROW_STEP = WG_SIZE / OCTETS;
const OUT_STRIDE = 16u * WARPS_N;

#import matrix_pieces
#import matrix_output

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

var<workgroup> x_memory: buffer<BM * STRIDE * 16>;
var<workgroup> w_memory: buffer<BN * STRIDE * 16>;
fn left_at(warp_m: u32, i: u32, k: u32) -> u32 {
  return (warp_m * TM + i) * 16u * STRIDE * 8u + k;
}

fn right_at(warp_n: u32, j: u32, k: u32) -> u32 {
  return (warp_n * TN + j) * 16u * STRIDE * 8u + k;
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let x_octets = bufferView<array<vec4<u32>>>(&x_memory, 0);
  let w_octets = bufferView<array<vec4<u32>>>(&w_memory, 0);
  let x_halves = bufferView<array<f16>>(&x_memory, 0);
  let w_halves = bufferView<array<f16>>(&w_memory, 0);
  let warp_m = index / 32u % WARPS_M;
  let warp_n = index / 32u / WARPS_M;
  let piece_at = index / OCTETS * STRIDE + index % OCTETS;
  var s00: Sum;
#if TN > 1
  var s01: Sum;
#endif
#if TM > 1
  var s10: Sum;
#if TN > 1
  var s11: Sum;
#endif
#endif
#if TM > 2
  var s20: Sum;
  var s30: Sum;
#if TN > 1
  var s21: Sum;
  var s31: Sum;
#endif
#endif
  var next = load_pieces(wg, 0u, index);
  for (var first = 0u; first < K; first += BK) {
    x_octets[piece_at] = next.x0;
#if X_ITEMS > 1
    x_octets[piece_at + ROW_STEP * STRIDE] = next.x1;
#endif
    w_octets[piece_at] = unpacked(next.w0);
#if W_ITEMS > 1
    w_octets[piece_at + ROW_STEP * STRIDE] = unpacked(next.w1);
#endif
    workgroupBarrier();
    if (first + BK < K) {
      next = load_pieces(wg, first + BK, index);
    }
    for (var k = 0u; k < BK; k += 16u) {
      let r0 = subgroupMatrixLoad<Right, col_major>(w_halves, right_at(warp_n, 0u, k), STRIDE * 8u);
#if TN > 1
      let r1 = subgroupMatrixLoad<Right, col_major>(w_halves, right_at(warp_n, 1u, k), STRIDE * 8u);
#endif
      let l0 = subgroupMatrixLoad<Left, row_major>(x_halves, left_at(warp_m, 0u, k), STRIDE * 8u);
      s00 = subgroupMatrixMultiplyAccumulate(l0, r0, s00);
#if TN > 1
      s01 = subgroupMatrixMultiplyAccumulate(l0, r1, s01);
#endif
#if TM > 1
      let l1 = subgroupMatrixLoad<Left, row_major>(x_halves, left_at(warp_m, 1u, k), STRIDE * 8u);
      s10 = subgroupMatrixMultiplyAccumulate(l1, r0, s10);
#if TN > 1
      s11 = subgroupMatrixMultiplyAccumulate(l1, r1, s11);
#endif
#endif
#if TM > 2
      let l2 = subgroupMatrixLoad<Left, row_major>(x_halves, left_at(warp_m, 2u, k), STRIDE * 8u);
      let l3 = subgroupMatrixLoad<Left, row_major>(x_halves, left_at(warp_m, 3u, k), STRIDE * 8u);
      s20 = subgroupMatrixMultiplyAccumulate(l2, r0, s20);
      s30 = subgroupMatrixMultiplyAccumulate(l3, r0, s30);
#if TN > 1
      s21 = subgroupMatrixMultiplyAccumulate(l2, r1, s21);
      s31 = subgroupMatrixMultiplyAccumulate(l3, r1, s31);
#endif
#endif
    }
    workgroupBarrier();
  }
#if NORM
  inverse_norms(index);
#endif
  let out_at = warp_m * 16u * OUT_STRIDE + warp_n * 16u;
  subgroupMatrixStore<row_major>(&out_tile, out_at, s00, OUT_STRIDE);
  finish_tiles(wg, 0u, 0u, index);
#if TN > 1
  subgroupMatrixStore<row_major>(&out_tile, out_at, s01, OUT_STRIDE);
  finish_tiles(wg, 0u, 1u, index);
#endif
#if TM > 1
  subgroupMatrixStore<row_major>(&out_tile, out_at, s10, OUT_STRIDE);
  finish_tiles(wg, 1u, 0u, index);
#if TN > 1
  subgroupMatrixStore<row_major>(&out_tile, out_at, s11, OUT_STRIDE);
  finish_tiles(wg, 1u, 1u, index);
#endif
#endif
#if TM > 2
  subgroupMatrixStore<row_major>(&out_tile, out_at, s20, OUT_STRIDE);
  finish_tiles(wg, 2u, 0u, index);
  subgroupMatrixStore<row_major>(&out_tile, out_at, s30, OUT_STRIDE);
  finish_tiles(wg, 3u, 0u, index);
#if TN > 1
  subgroupMatrixStore<row_major>(&out_tile, out_at, s21, OUT_STRIDE);
  finish_tiles(wg, 2u, 1u, index);
  subgroupMatrixStore<row_major>(&out_tile, out_at, s31, OUT_STRIDE);
  finish_tiles(wg, 3u, 1u, index);
#endif
#endif
}
