// GEMM for more rows than gemv takes: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM: x[m, k] stands for x * g[k] * rsqrt(mean_k(x^2) + eps); the squares are summed while the tiles of x are loaded
//   then bias, gate, scale, softcap and residual as in shared/linear_epilogue.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [M, K] in scratch; out: f32 [M, N] (gated: [M, N / 2]).
// Thread map: workgroup (i, j) makes a BM x BN tile of y, i along m so that neighbours share their weights. x and the
// dequantised W pass through workgroup memory BK columns at a time, in rows of four consecutive k, padded to an odd
// stride. A thread owns 4 rows (consecutive) x 4 columns (BN / 4 apart) of y, and one of SLICES parts of every BK, which
// are added up at the end: small tiles keep all threads busy that way. Gated: the first half of the tile's columns are
// gate rows of W, the second half their partners, N / 2 further on.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
#import packed
#import fours
#import tile_rows
#import linear_epilogue

const WG_SIZE = BM / 4u * (BN / 4u) * SLICES;
const SLICE_THREADS = WG_SIZE / SLICES;
const TILE_K4 = BK / 4u;
const TILE_STRIDE = TILE_K4 + 1u;
const SLICE_K4 = TILE_K4 / SLICES;

var<workgroup> x_tile: array<Four, BM * TILE_STRIDE>;
var<workgroup> w_tile: array<Four, BN * TILE_STRIDE>;
#if NORM
var<workgroup> squares_cell: array<f32, WG_SIZE>;
var<workgroup> inverse_cell: array<f32, BM>;
#endif
#if SLICES > 1
var<workgroup> slice_cell: array<vec4<f32>, WG_SIZE / 2u>;
#endif

// Sum over the slices; only the threads of slice 0 get it.
fn slices_sum(value: vec4<f32>, index: u32) -> vec4<f32> {
  var sum = value;
#if SLICES > 1
  let slice = index / SLICE_THREADS;
  for (var step = SLICES / 2u; step > 0u; step /= 2u) {
    if (slice >= step && slice < 2u * step) {
      slice_cell[index - step * SLICE_THREADS] = sum;
    }
    workgroupBarrier();
    if (slice < step) {
      sum += slice_cell[index];
    }
    workgroupBarrier();
  }
#endif
  return sum;
}

fn finish_row(y: vec4<f32>, m: u32, local_m: u32, tile: u32, column: u32) {
  if (m >= params.num_rows) {
    return;
  }
#if NORM
  let row = y * inverse_cell[local_m];
#else
  let row = y;
#endif
#if GATE > 0
  for (var j = 0u; j < 2u; j++) {
    let i = tile * (BN / 2u) + column + j * (BN / 4u);
    if (i < params.rows / 2u) {
      finish_gated(row[j], row[j + 2u], i, m);
    }
  }
#else
  for (var j = 0u; j < 4u; j++) {
    let n = tile * BN + column + j * (BN / 4u);
    if (n < params.rows) {
      finish(row[j], n, m);
    }
  }
#endif
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let column = index % (BN / 4u);
  let local_m = index / (BN / 4u) % (BM / 4u) * 4u;
  let slice_k4 = index / SLICE_THREADS * SLICE_K4;
  var y0 = vec4<f32>();
  var y1 = vec4<f32>();
  var y2 = vec4<f32>();
  var y3 = vec4<f32>();
  var squares = 0.0;
  for (var first = 0u; first < K; first += BK) {
    for (var i = index; i < BM * TILE_K4; i += WG_SIZE) {
      let k = first + i % TILE_K4 * 4u;
      let x = x4(wg.x * BM + i / TILE_K4, k);
      squares += dot(x, x);
      x_tile[i / TILE_K4 * TILE_STRIDE + i % TILE_K4] = four(gained(x, k));
    }
    for (var i = index; i < BN * TILE_K4; i += WG_SIZE) {
      w_tile[i / TILE_K4 * TILE_STRIDE + i % TILE_K4] =
        four(w4(weight_row(wg.y, i / TILE_K4), first + i % TILE_K4 * 4u));
    }
    workgroupBarrier();
    for (var k4 = slice_k4; k4 < slice_k4 + SLICE_K4; k4++) {
      let w = column * TILE_STRIDE + k4;
      let w0 = w_tile[w];
      let w1 = w_tile[w + BN / 4u * TILE_STRIDE];
      let w2 = w_tile[w + BN / 2u * TILE_STRIDE];
      let w3 = w_tile[w + BN / 4u * 3u * TILE_STRIDE];
      let x = local_m * TILE_STRIDE + k4;
      y0 = mac4(x_tile[x], w0, w1, w2, w3, y0);
      y1 = mac4(x_tile[x + TILE_STRIDE], w0, w1, w2, w3, y1);
      y2 = mac4(x_tile[x + 2u * TILE_STRIDE], w0, w1, w2, w3, y2);
      y3 = mac4(x_tile[x + 3u * TILE_STRIDE], w0, w1, w2, w3, y3);
    }
    workgroupBarrier();
  }
#if NORM
  // A thread's items of x all lie in one row (TILE_K4 divides WG_SIZE, BM * TILE_K4 <= WG_SIZE): TILE_K4 threads a row.
  squares_cell[index] = squares;
  workgroupBarrier();
  if (index < BM) {
    var sum = 0.0;
    for (var i = 0u; i < TILE_K4; i++) {
      sum += squares_cell[index * TILE_K4 + i];
    }
    inverse_cell[index] = inverseSqrt(sum / f32(K) + params.eps);
  }
  workgroupBarrier();
#endif
  y0 = slices_sum(y0, index);
  y1 = slices_sum(y1, index);
  y2 = slices_sum(y2, index);
  y3 = slices_sum(y3, index);
  if (index < SLICE_THREADS) {
    let m = wg.x * BM + local_m;
    finish_row(y0, m, local_m, wg.y, column);
    finish_row(y1, m + 1u, local_m + 1u, wg.y, column);
    finish_row(y2, m + 2u, local_m + 2u, wg.y, column);
    finish_row(y3, m + 3u, local_m + 3u, wg.y, column);
  }
}
