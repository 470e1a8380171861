// How gemm_matrix.wgsl finishes its matrices: through workgroup memory, because their elements cannot be reached otherwise.
// Needs: the constants of gemm_matrix.wgsl; `#import linear_epilogue`, `matrix_pieces`.

var<workgroup> out_tile: array<f32, 256 * WARPS_M * WARPS_N>;
#if NORM
var<workgroup> inverse_cell: array<f32, BM>;
#endif

#if NORM
// A thread's items of x lie in rows ROW_STEP apart, OCTETS neighbouring threads to a row.
fn inverse_norms(index: u32) {
  out_tile[index] = squares.x;
#if X_ITEMS > 1
  out_tile[WG_SIZE + index] = squares.y;
#endif
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

// The matrices (i, j) of all subgroups, just stored in out_tile. All threads call, in uniform control flow.
fn finish_tiles(wg: vec3<u32>, i: u32, j: u32, index: u32) {
  workgroupBarrier();
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
  workgroupBarrier();
}
