// How gemm_matrix.wgsl finishes its matrices: through workgroup memory, because their elements cannot be reached otherwise.
// Needs: the constants of gemm_matrix.wgsl; `#import linear_epilogue`, `matrix_pieces`.

const OUT_STRIDE = 16u * WARPS_N;
const OUT_SIZE = 16u * WARPS_M * OUT_STRIDE;
var<workgroup> out_tile: array<f32, OUT_SIZE * WARPS_K>;

// A sum of the subgroups that share K.
fn finished(at: u32) -> f32 {
  var sum = out_tile[at];
  for (var k = 1u; k < WARPS_K; k++) {
    sum += out_tile[k * OUT_SIZE + at];
  }
  return sum;
}

// The matrices (i, j) of all subgroups, just stored in out_tile. All threads call, in uniform control flow.
fn finish_tiles(wg: vec3<u32>, i: u32, j: u32, index: u32) {
  workgroupBarrier();
#if GATE > 0
  const WIDTH = 8u;
#else
  const WIDTH = 16u;
#endif
  const COLUMNS = WIDTH * WARPS_N;
  for (var at = index; at < 16u * WARPS_M * COLUMNS; at += WG_SIZE) {
    let row = at / COLUMNS;
    let block = at % COLUMNS / WIDTH;
    let column = at % WIDTH;
    let m = wg.x * BM + (row / 16u * TM + i) * 16u + row % 16u;
    let n = (wg.y * (BN / 16u) + block * TN + j) * WIDTH + column;
    let cell = row * OUT_STRIDE + block * 16u + column;
#if GATE > 0
    if (m < params.num_rows && n < params.rows / 2u) {
      finish_gated(finished(cell), finished(cell + 8u), n, m);
    }
#else
    if (m < params.num_rows && n < params.rows) {
      finish(finished(cell), n, m);
    }
#endif
  }
  workgroupBarrier();
}
