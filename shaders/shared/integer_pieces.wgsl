// What a thread of gemm_integer.wgsl brings into workgroup memory, 16 bytes at a time: bytes h or l of x, and W in a byte a code, every
// eight k in the order in which codes leave their word. x lies so in memory (shaders/integer_rows.wgsl), or FLOATS: as f32 [M, K], and
// each workgroup makes the same bytes of its rows.
// Needs: weights, scratch; `#import packed`; the constants of gemm_integer.wgsl.

#import tile_weights
#if FLOATS
#import integer_floats
#endif

// k of a vector of W; such vectors of a row of one group, and of all rows of the tile.
const VECTOR_K = 128u / BITS;
const ROW_VECTORS = GK / VECTOR_K;
const W_VECTORS = WARPS_K * BN * ROW_VECTORS;
// Vectors of 16 bytes h or l of x likewise.
const X_ROW_VECTORS = GK / 16u;
const X_VECTORS = WARPS_K * X_ROWS * X_ROW_VECTORS;

// What a thread has on its way.
struct Pieces {
#for i in X_ITEMS
#if FLOATS
  x$i: Floats8,
#else
  x$i: vec4<u32>,
#endif
#endfor
#for i in W_ITEMS
  w$i: vec4<u32>,
#endfor
#if !FLOATS
  // xs and xs sum q of one row and group.
  scale: vec2<f32>,
#endif
}

// K of the weight, padded: a parameter, so that linears of different K share a program, whose code they find in the cache.
fn padded_k() -> u32 {
#if FLOATS
  return params.in_stride * 4u;
#else
  return params.in_stride * 8u;
#endif
}

// Groups of GK, and scales of a row of W.
fn num_rounds() -> u32 {
  return (padded_k() + GK - 1u) / GK;
}

fn num_scales() -> u32 {
  return (padded_k() + GROUP_SIZE - 1u) / GROUP_SIZE;
}

// Rows of x that there is room for: those of whole tiles.
fn plane_rows() -> u32 {
  return (params.num_rows + BM - 1u) / BM * BM;
}

// Groups [first, first + WARPS_K), all of which exist where WHOLE.
fn load_pieces(wg: vec3<u32>, first: u32, index: u32) -> Pieces {
  var next = Pieces();
#for i in W_ITEMS
  {
    let item = $i * WG_SIZE + index;
    let k = (first + item / (BN * ROW_VECTORS)) * GK + item % ROW_VECTORS * VECTOR_K;
    let n = weight_row(wg.y, item / ROW_VECTORS % BN);
#if WHOLE
    next.w$i = weights[params.codes_at + (n * padded_k() + k) / VECTOR_K];
#else
    if (k < padded_k()) {
      next.w$i = weights[params.codes_at + (n * padded_k() + k) / VECTOR_K];
    }
#endif
  }
#endfor
#if FLOATS
#for i in X_ITEMS
  next.x$i = load_octet(wg, first, $i * WG_SIZE + index);
#endfor
#else
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    let k = (first + item / (X_ROWS * X_ROW_VECTORS)) * GK + item % X_ROW_VECTORS * 16u;
    let row = item / X_ROW_VECTORS % X_ROWS;
    let plane_row = row / BM * plane_rows() + wg.x * BM + row % BM;
#if WHOLE
    next.x$i = bitcast<vec4<u32>>(scratch[params.in_at + (plane_row * padded_k() + k) / 16u]);
#else
    if (k < padded_k()) {
      next.x$i = bitcast<vec4<u32>>(scratch[params.in_at + (plane_row * padded_k() + k) / 16u]);
    }
#endif
  }
#endfor
  let at = min(first + index / BM, num_rounds() - 1u) * plane_rows() + wg.x * BM + index % BM;
  next.scale = vec2<f32>(x_row_scale(at), x_row_scale(at + num_rounds() * plane_rows()));
#endif
  return next;
}

// Of what lies behind the bytes, by groups and rows: scales, scaled sums.
fn x_row_scale(i: u32) -> f32 {
  return scratch[params.in_at + plane_rows() * (padded_k() / 8u) + i / 4u][i % 4u];
}

// Rows are padded by a vector, so that neighbouring threads write to different banks.
fn store_pieces(next: Pieces, index: u32) {
  let vectors = bufferView<array<vec4<u32>, PIECES_WORDS / 4u>>(&memory, 0);
#if FLOATS
#for i in X_ITEMS
  store_octet(integer_octet(next.x$i), $i * WG_SIZE + index);
#endfor
#else
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (X_VECTORS % WG_SIZE == 0u || item < X_VECTORS) {
      vectors[item / X_ROW_VECTORS * STRIDE / 4u + item % X_ROW_VECTORS] = next.x$i;
    }
  }
#endfor
#endif
#for i in W_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (W_VECTORS % WG_SIZE == 0u || item < W_VECTORS) {
      let row = (W_AT + item / ROW_VECTORS * STRIDE) / 4u;
      let v = item % ROW_VECTORS;
#if BITS == 4
      let even = next.w$i & vec4<u32>(0x0f0f0f0fu);
      let odd = (next.w$i >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
      vectors[row + 2u * v] = vec4<u32>(even.x, odd.x, even.y, odd.y);
      vectors[row + 2u * v + 1u] = vec4<u32>(even.z, odd.z, even.w, odd.w);
#else
      // As signed bytes: 128 less.
      vectors[row + v] = next.w$i ^ vec4<u32>(0x80808080u);
#endif
    }
  }
#endfor
#if !FLOATS
  if (index < SCALES) {
    let scales = bufferView<array<f32>>(&memory, SCALES_AT * 4u);
    scales[index] = next.scale.x;
    scales[SCALES + index] = next.scale.y;
  }
#endif
}

// Of W: s and z of this thread's column in each matrix of its subgroup.
struct Scales {
#for j in TN
  s$j: u32,
#endfor
}

fn load_scales(wg: vec3<u32>, group: u32, warp_n: u32, index: u32) -> Scales {
  var scales = Scales();
#for j in TN
  {
    let n = weight_row(wg.y, (warp_n * TN + $j) * 16u + index % 16u);
    scales.s$j = weight_word(params.scales_at + n * num_scales() + min(group, num_rounds() - 1u) * GK / GROUP_SIZE);
  }
#endfor
#if !WHOLE
  if (group >= num_rounds()) {
    return Scales();
  }
#endif
  return scales;
}

#if FOUR_SCALES
// Of four groups.
struct FourScales {
#for j in TN
  s$j: vec4<u32>,
#endfor
}

fn load_four_scales(wg: vec3<u32>, group: u32, warp_n: u32, index: u32) -> FourScales {
  var scales = FourScales();
#for j in TN
  {
    let n = weight_row(wg.y, (warp_n * TN + $j) * 16u + index % 16u);
    scales.s$j = weights[(params.scales_at + n * num_scales() + group) / 4u];
  }
#endfor
  return scales;
}
#endif
