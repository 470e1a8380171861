// GEMM on subgroup matrices of bytes, in integers: y[m, n] = sum_k W[n, k] * x[m, k]
//   then bias, gate, scale, softcap and residual as in gemm.wgsl
// x ~ xs (256 h + l), h and l signed bytes, one scale for GK columns (shaders/integer_rows.wgsl), so the error is at most 2^-16 of
// their largest |x|; codes u of W are bytes as they are, and every sum over GK columns is exact:
//   y = sum over groups of xs s (256 sum u h + sum u l - z sum q),  q = 256 h + l
// W: packed w4 | w8 [N, K] in weights; out: f32 [M, N] (gated: [M, N / 2]).
// Thread map: workgroup (i, j) makes a BM x BN tile of y, i along m so that neighbours share their weights, in WARPS_M x WARPS_N
// x WARPS_K subgroups (the last share K, a group each in turn) of TM x TN matrices each. x and W pass through workgroup memory a
// group for each of WARPS_K at a time, the next DEPTH of them on their way in registers; it divides how many there are. Elements of
// a matrix can only be reached in memory: sums of a group go there by columns, and a thread adds some rows of one to what it keeps.
// FOUR_SCALES: those of W come for four groups at a time.
// NORM, with FEW: rows come without what their norm divides by, and with what that follows from (shared/integer_norm.wgsl).
// FEW: a matrix holds h of eight rows and l of the same, BM = 8.
// SPLIT: K is shared by workgroups (i, j, k), which leave their sums as f32 [grid.z][M, out_stride] to sum_parts.wgsl.
// Gated: eight gate rows of W and their eight partners take turns among the columns of a tile.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import linear_epilogue

const WARPS = WARPS_M * WARPS_N * WARPS_K;
const WG_SIZE = 32u * WARPS;
// Words of a row of one group; padded, so that the rows of a matrix lie in different banks.
const WORDS = GK / 4u;
const STRIDE = WORDS + 4u;
const COLUMN = 20u;
const TILE = 16u * COLUMN;

// Words of workgroup memory: by warp_k, rows of bytes h of x and as many of bytes l; rows of W; the sums that come from them, by
// subgroup, in their place; scales of x. The less of it, the more workgroups share a processor.
const X_ROWS = 2u * BM;
const W_AT = WARPS_K * X_ROWS * STRIDE;
const PIECES_WORDS = W_AT + WARPS_K * BN * STRIDE;
const SUMS_WORDS = WARPS * TM * TN * TILE;
const SCALES_AT = max(PIECES_WORDS, SUMS_WORDS);
const SCALES = WARPS_K * BM;
#if NORM
const INVERSES_AT = SCALES_AT + 2 * SCALES;
const ALL_WORDS = INVERSES_AT + BM;
#else
const ALL_WORDS = SCALES_AT + 2 * SCALES;
#endif

alias Left = subgroup_matrix_left<i8, 32, 16>;
alias Right = subgroup_matrix_right<i8, 16, 32>;
alias Sum = subgroup_matrix_result<i32, 16, 16>;
alias XRows = array<i32, (TM * 16u - 1u) * STRIDE + WORDS>;
alias WRows = array<i32, (TN * 16u - 1u) * STRIDE + WORDS>;
alias Sums = array<i32, TM * TN * TILE>;

var<workgroup> memory: buffer<ALL_WORDS * 4>;

#import integer_pieces
#import integer_output
#if NORM
#import integer_norm
#endif

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let warp = index / 32u;
  let warp_m = warp % WARPS_M;
  let warp_n = warp / WARPS_M % WARPS_N;
  let warp_k = warp / (WARPS_M * WARPS_N);
  let x_at = (warp_k * X_ROWS + warp_m * TM * 16u) * STRIDE;
  let high = bufferView<XRows>(&memory, x_at * 4u);
#if !FEW
  let low = bufferView<XRows>(&memory, (x_at + BM * STRIDE) * 4u);
#endif
  let w_rows = bufferView<WRows>(&memory, (W_AT + (warp_k * BN + warp_n * TN * 16u) * STRIDE) * 4u);
  let sums = bufferView<Sums>(&memory, warp * TM * TN * TILE * 4u);
#for i in TM
#for j in TN
  var y$i$j = Rows();
#endfor
#endfor
#if SPLIT
  let share = (num_rounds() + grid.z * WARPS_K - 1u) / (grid.z * WARPS_K) * WARPS_K;
  let begin = wg.z * share;
  let end = min(num_rounds(), begin + share);
#else
  const begin = 0u;
  let end = num_rounds();
#endif
#for u in DEPTH
  var next$u = load_pieces(wg, begin + $u * WARPS_K, index);
#if !FOUR_SCALES
  var scales$u = load_scales(wg, begin + $u * WARPS_K + warp_k, warp_n, index);
#endif
#endfor
#if FOUR_SCALES
  var next_scales = load_four_scales(wg, begin, warp_n, index);
#endif
#if NORM
  hold_inverses(wg, index);
#endif
  for (var round = begin; round < end; round += DEPTH * WARPS_K) {
#if FOUR_SCALES
    let four_scales = next_scales;
    if (round + DEPTH < end) {
      next_scales = load_four_scales(wg, round + DEPTH, warp_n, index);
    }
#endif
#for u in DEPTH
    {
      store_pieces(next$u, index);
#if FOUR_SCALES
#for j in TN
      let scale$j = four_scales.s$j[$u];
#endfor
#else
#for j in TN
      let scale$j = scales$u.s$j;
#endfor
#endif
      workgroupBarrier();
      if (round + DEPTH * WARPS_K < end) {
        next$u = load_pieces(wg, round + ($u + DEPTH) * WARPS_K, index);
#if !FOUR_SCALES
        scales$u = load_scales(wg, round + ($u + DEPTH) * WARPS_K + warp_k, warp_n, index);
#endif
      }
#for i in TM
#for j in TN
      var s$i$j = Sum();
#endfor
#endfor
#for k in STEPS
#for j in TN
      let w$k$j = subgroupMatrixLoad<Right, col_major>(w_rows, $j * 16u * STRIDE + $k * 8u, STRIDE);
#endfor
#endfor
#for k in STEPS
#for i in TM
      {
        let x = subgroupMatrixLoad<Left, row_major>(high, $i * 16u * STRIDE + $k * 8u, STRIDE);
#for j in TN
        s$i$j = subgroupMatrixMultiplyAccumulate(x, w$k$j, s$i$j);
#endfor
      }
#endfor
#endfor
#if !FEW
#for i in TM
#for j in TN
      s$i$j = subgroupMatrixScalarMultiply(s$i$j, 256i);
#endfor
#endfor
#for k in STEPS
#for i in TM
      {
        let x = subgroupMatrixLoad<Left, row_major>(low, $i * 16u * STRIDE + $k * 8u, STRIDE);
#for j in TN
        s$i$j = subgroupMatrixMultiplyAccumulate(x, w$k$j, s$i$j);
#endfor
      }
#endfor
#endfor
#endif
      // Before the barrier: behind the last one the next ones may come.
#for i in TM
      let x$i = x_scales(warp_k, warp_m * TM + $i, index);
#endfor
      workgroupBarrier();
#for i in TM
#for j in TN
      subgroupMatrixStore<col_major>(sums, ($i * TN + $j) * TILE, s$i$j, COLUMN);
#endfor
#endfor
      workgroupBarrier();
#for i in TM
#for j in TN
      y$i$j = added(y$i$j, (warp * TM + $i) * TN + $j, scale$j, x$i, index);
#endfor
#endfor
      workgroupBarrier();
    }
#endfor
  }
#if NORM
  // A part may have had no round, and so no barrier.
  workgroupBarrier();
#for i in TM
#for j in TN
  y$i$j = normed(y$i$j, warp_m * TM + $i, index);
#endfor
#endfor
#endif
#for i in TM
#for j in TN
  finish_tile(wg, vec3<u32>(warp_m * TM + $i, warp_n * TN + $j, warp_k), y$i$j, index);
#endfor
#endfor
}
