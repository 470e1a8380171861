// Sums of gemm_integer.wgsl: a thread keeps eight rows of one column of each matrix.
// Needs: the constants of gemm_integer.wgsl; `#import linear_epilogue`, `integer_pieces`.

struct Eight {
  a: vec4<f32>,
  b: vec4<f32>,
}

// xs and xs sum q of a thread's eight rows.
struct RowScales {
  scale: Eight,
  sum: Eight,
}

fn x_scales(warp_k: u32, tile_m: u32, index: u32) -> RowScales {
  let fours = bufferView<array<vec4<f32>>>(&memory, SCALES_AT * 4u);
  let at = (warp_k * BM + tile_m * 16u + index % 32u / 16u * 8u) / 4u;
  const NEXT = SCALES / 4u;
  return RowScales(Eight(fours[at], fours[at + 1u]), Eight(fours[NEXT + at], fours[NEXT + at + 1u]));
}

// Adds matrix number `tile` of the workgroup, stored by columns in workgroup memory.
fn added(y: Eight, tile: u32, weight_scale: u32, x: RowScales, index: u32) -> Eight {
  let fours = bufferView<array<vec4<i32>>>(&memory, SUMS_AT * 4u);
  let at = (tile * TILE + index % 16u * COLUMN + index % 32u / 16u * 8u) / 4u;
  let sz = unpack2x16float(weight_scale);
#if BITS == 8
  let z = vec4<f32>(sz.y - 128.0);
#else
  let z = vec4<f32>(sz.y);
#endif
  let a = fma(vec4<f32>(fours[at]), x.scale.a, -z * x.sum.a);
  let b = fma(vec4<f32>(fours[at + 1u]), x.scale.b, -z * x.sum.b);
  return Eight(fma(a, vec4<f32>(sz.x), y.a), fma(b, vec4<f32>(sz.x), y.b));
}

#if SPLIT
// A sum over this workgroup's part of K.
fn put_sum(wg: vec3<u32>, y: f32, n: u32, m: u32) {
  let to = params.out_at + (wg.z * params.num_rows + m) * params.out_stride + n;
  scratch[to / 4u][to % 4u] = y;
}
#endif

// Writes eight rows of one column. All threads call; those with `writes` do.
fn finish_eight(wg: vec3<u32>, tile: vec2<u32>, y: Eight, writes: bool, index: u32) {
  let column = index % 16u;
  let first = wg.x * BM + tile.x * 16u + index % 32u / 16u * 8u;
  let tile_n = wg.y * (BN / 16u) + tile.y;
#if GATE > 0
  let n = tile_n * 8u + select(params.rows, column, column < 8u);
  let partner_a = subgroupShuffleXor(y.a, 8u);
  let partner_b = subgroupShuffleXor(y.b, 8u);
#for i in 4
  if (writes && n < params.rows / 2u && first + $i < params.num_rows) {
    finish_gated(y.a[$i], partner_a[$i], n, first + $i);
  }
  if (writes && n < params.rows / 2u && first + 4u + $i < params.num_rows) {
    finish_gated(y.b[$i], partner_b[$i], n, first + 4u + $i);
  }
#endfor
#else
  let n = tile_n * 16u + column;
#for i in 4
  if (writes && n < params.rows && first + $i < params.num_rows) {
#if SPLIT
    put_sum(wg, y.a[$i], n, first + $i);
#else
    finish(y.a[$i], n, first + $i);
#endif
  }
  if (writes && n < params.rows && first + 4u + $i < params.num_rows) {
#if SPLIT
    put_sum(wg, y.b[$i], n, first + 4u + $i);
#else
    finish(y.b[$i], n, first + 4u + $i);
#endif
  }
#endfor
#endif
}

// Matrix (m, n) of the tile, with what the subgroups warp_k have of it. All threads call, in uniform control flow.
fn finish_tile(wg: vec3<u32>, tile: vec3<u32>, own: Eight, index: u32) {
#if WARPS_K > 1
  var y = own;
  let fours = bufferView<array<vec4<f32>>>(&memory, 0);
  workgroupBarrier();
  fours[index] = y.a;
  fours[WG_SIZE + index] = y.b;
  workgroupBarrier();
  if (tile.z == 0u) {
    for (var k = 1u; k < WARPS_K; k++) {
      y.a += fours[k * (WG_SIZE / WARPS_K) + index];
      y.b += fours[WG_SIZE + k * (WG_SIZE / WARPS_K) + index];
    }
  }
  finish_eight(wg, tile.xy, y, tile.z == 0u, index);
#else
  finish_eight(wg, tile.xy, own, true, index);
#endif
}
