// GEMM on subgroup matrices, f16 in and f32 accumulated: y[m, n] = sum_k W[n, k] * x[m, k]
//   then bias, gate, scale, softcap and residual as in gemm.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f16 [M, PADDED_K] of halve.wgsl in scratch; out: f32 [M, N] (gated: [M, N / 2]).
// Thread map: workgroup (i, j) makes a BM x BN tile of y, i along m so that neighbours share their weights, in WARPS_M x WARPS_N
// x WARPS_K subgroups (the last share K) of TM x TN matrices each, all with names: registers cannot be indexed. x and the
// dequantised W pass through workgroup memory BK columns at a time, with DEPTH times as many on their way in registers, in turn.
// Eight k stand as codes leave their word: of x and W alike, so that no product changes. A subgroup sees its rows through a
// view of constant size, and loads at constant places of it: otherwise Chrome puts a branch around every load.
// Gated: eight gate rows of W and their eight partners take turns among the columns of a tile.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import linear_epilogue

const WG_SIZE = 32u * WARPS_M * WARPS_N * WARPS_K;
const OCTETS = BK / 8u;
// In octets; odd, so that rows lie in different banks.
const STRIDE = OCTETS + 1u;
const HALVES = STRIDE * 8u;
const WARP_K = BK / WARPS_K;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;
alias XRows = array<f16, (TM * 16u - 1u) * HALVES + WARP_K>;
alias WRows = array<f16, (TN * 16u - 1u) * HALVES + WARP_K>;

var<workgroup> x_memory: buffer<BM * STRIDE * 16>;
var<workgroup> w_memory: buffer<BN * STRIDE * 16>;

#import matrix_pieces
#import matrix_output

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let warp = index / 32u;
  let warp_m = warp % WARPS_M;
  let warp_n = warp / WARPS_M % WARPS_N;
  let warp_k = warp / (WARPS_M * WARPS_N);
  let x_rows = bufferView<XRows>(&x_memory, (warp_m * TM * 16u * HALVES + warp_k * WARP_K) * 2u);
  let w_rows = bufferView<WRows>(&w_memory, (warp_n * TN * 16u * HALVES + warp_k * WARP_K) * 2u);
#for i in TM
#for j in TN
  var s$i$j: Sum;
#endfor
#endfor
#for d in DEPTH
  var next$d = load_pieces(wg, $d * BK, index);
#endfor
  for (var round = 0u; round < K; round += DEPTH * BK) {
#for d in DEPTH
    if (round + $d * BK < K) {
      store_pieces(next$d, index);
      workgroupBarrier();
      next$d = load_pieces(wg, round + (DEPTH + $d) * BK, index);
#for k in STEPS
      {
#for j in TN
        let r$j = subgroupMatrixLoad<Right, col_major>(w_rows, $j * 16u * HALVES + $k * 16u, HALVES);
#endfor
#for i in TM
        let l$i = subgroupMatrixLoad<Left, row_major>(x_rows, $i * 16u * HALVES + $k * 16u, HALVES);
#for j in TN
        s$i$j = subgroupMatrixMultiplyAccumulate(l$i, r$j, s$i$j);
#endfor
#endfor
      }
#endfor
      workgroupBarrier();
    }
#endfor
  }
  let out_at = warp_k * OUT_SIZE + warp_m * 16u * OUT_STRIDE + warp_n * 16u;
#for i in TM
#for j in TN
  subgroupMatrixStore<row_major>(&out_tile, out_at, s$i$j, OUT_STRIDE);
  finish_tiles(wg, $i, $j, index);
#endfor
#endfor
}
