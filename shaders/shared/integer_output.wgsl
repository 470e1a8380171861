// Sums of gemm_integer.wgsl: a thread keeps eight rows of one column of each matrix, or (FEW) four.
// Needs: the constants of gemm_integer.wgsl; `#import linear_epilogue`, `integer_pieces`; ROW_FOURS.

struct Rows {
#for f in ROW_FOURS
  f$f: vec4<f32>,
#endfor
}

// xs and xs sum q of a thread's rows.
struct RowScales {
  scale: Rows,
  sum: Rows,
}

// First row of this thread in a matrix.
fn first_row(index: u32) -> u32 {
  return index % 32u / 16u * ROW_FOURS * 4u;
}

fn x_scales(warp_k: u32, tile_m: u32, index: u32) -> RowScales {
  let fours = bufferView<array<vec4<f32>>>(&memory, SCALES_AT * 4u);
  let at = (warp_k * BM + tile_m * 16u + first_row(index)) / 4u;
  var scales = RowScales();
#for f in ROW_FOURS
  scales.scale.f$f = fours[at + $f];
  scales.sum.f$f = fours[at + SCALES / 4u + $f];
#endfor
  return scales;
}

// Adds matrix number `tile` of the workgroup, stored by columns in workgroup memory.
fn added(y: Rows, tile: u32, weight_scale: u32, x: RowScales, index: u32) -> Rows {
  let fours = bufferView<array<vec4<i32>>>(&memory, 0u);
  let at = (tile * TILE + index % 16u * COLUMN + first_row(index)) / 4u;
  let sz = unpack2x16float(weight_scale);
#if BITS == 8
  let z = vec4<f32>(sz.y - 128.0);
#else
  let z = vec4<f32>(sz.y);
#endif
  var sum = y;
#for f in ROW_FOURS
  {
#if FEW
    let products = fours[at] * 256i + fours[at + 2u];
#else
    let products = fours[at + $f];
#endif
    sum.f$f = fma(fma(vec4<f32>(products), x.scale.f$f, -z * x.sum.f$f), vec4<f32>(sz.x), sum.f$f);
  }
#endfor
  return sum;
}

#if SPLIT
// A sum over this workgroup's part of K.
fn put_sum(wg: vec3<u32>, y: f32, n: u32, m: u32) {
  let to = params.out_at + (wg.z * params.num_rows + m) * params.out_stride + n;
  scratch[to / 4u][to % 4u] = y;
}
#endif

// Writes a thread's rows of one column. All threads call; those with `writes` do.
fn finish_rows(wg: vec3<u32>, tile: vec2<u32>, y: Rows, writes: bool, index: u32) {
  let column = index % 16u;
  let first = wg.x * BM + tile.x * 16u + first_row(index);
  let tile_n = wg.y * (BN / 16u) + tile.y;
#if GATE > 0
  let n = tile_n * 8u + select(params.rows, column, column < 8u);
#for f in ROW_FOURS
  let partner$f = subgroupShuffleXor(y.f$f, 8u);
#for i in 4
  if (writes && n < params.rows / 2u && first + $f * 4u + $i < params.num_rows) {
    finish_gated(y.f$f[$i], partner$f[$i], n, first + $f * 4u + $i);
  }
#endfor
#endfor
#else
  let n = tile_n * 16u + column;
#for f in ROW_FOURS
#for i in 4
  if (writes && n < params.rows && first + $f * 4u + $i < params.num_rows) {
#if SPLIT
    put_sum(wg, y.f$f[$i], n, first + $f * 4u + $i);
#else
    finish(y.f$f[$i], n, first + $f * 4u + $i);
#endif
  }
#endfor
#endfor
#endif
}

// Matrix (m, n) of the tile, with what the subgroups warp_k have of it. All threads call, in uniform control flow.
fn finish_tile(wg: vec3<u32>, tile: vec3<u32>, own: Rows, index: u32) {
#if WARPS_K > 1
  var y = own;
  let fours = bufferView<array<vec4<f32>>>(&memory, 0u);
  workgroupBarrier();
#for f in ROW_FOURS
  fours[$f * WG_SIZE + index] = y.f$f;
#endfor
  workgroupBarrier();
  if (tile.z == 0u) {
    for (var k = 1u; k < WARPS_K; k++) {
#for f in ROW_FOURS
      y.f$f += fours[$f * WG_SIZE + k * (WG_SIZE / WARPS_K) + index];
#endfor
    }
  }
  finish_rows(wg, tile.xy, y, tile.z == 0u, index);
#else
  finish_rows(wg, tile.xy, own, true, index);
#endif
}
