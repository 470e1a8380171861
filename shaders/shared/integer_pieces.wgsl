// What a thread of gemm_integer.wgsl brings into workgroup memory, 16 bytes at a time: bytes h or l of x, and W in a byte a code, every
// eight k in the order in which codes leave their word. x lies so in memory (shaders/integer_rows.wgsl).
// Needs: weights, scratch; `#import packed`; the constants of gemm_integer.wgsl.

#import tile_weights

// k of a vector of W; such vectors of a row of one group, and of all rows of the tile.
const VECTOR_K = 128u / BITS;
const ROW_VECTORS = GK / VECTOR_K;
const W_VECTORS = WARPS_K * BN * ROW_VECTORS;
// Vectors of 16 bytes h or l of x likewise; those of all rows h, and of h and l.
const X_ROW_VECTORS = GK / 16u;
const X_HALF = WARPS_K * BM * X_ROW_VECTORS;
const X_VECTORS = 2u * X_HALF;

// What a thread has on its way.
struct Pieces {
#for i in X_ITEMS
  x$i: vec4<u32>,
#endfor
#for i in W_ITEMS
  w$i: vec4<u32>,
#endfor
  // xs and xs sum q of one row and group.
  scale: vec2<f32>,
}

fn x_row_scale(m: u32, group: u32) -> vec2<f32> {
  let at = params.in_at + params.num_rows * params.in_stride + (m * GROUPS + group) / 2u;
  let two = scratch[at];
  return select(two.xy, two.zw, (m * GROUPS + group) % 2u == 1u);
}

// Groups [first, first + WARPS_K).
fn load_pieces(wg: vec3<u32>, first: u32, index: u32) -> Pieces {
  var next = Pieces();
#for i in W_ITEMS
  {
    let item = $i * WG_SIZE + index;
    let k = (first + item / (BN * ROW_VECTORS)) * GK + item % ROW_VECTORS * VECTOR_K;
    let n = weight_row(wg.y, item / ROW_VECTORS % BN);
    if (k < PADDED_K) {
      next.w$i = weights[params.codes_at + (n * PADDED_K + k) / VECTOR_K];
    }
  }
#endfor
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    let k = (first + item % X_HALF / (BM * X_ROW_VECTORS)) * GK + item % X_ROW_VECTORS * 16u;
    let m = wg.x * BM + item / X_ROW_VECTORS % BM;
    if (m < params.num_rows && k < PADDED_K) {
      next.x$i = bitcast<vec4<u32>>(scratch[params.in_at + m * params.in_stride + item / X_HALF * (PADDED_K / 16u) + k / 16u]);
    }
  }
#endfor
  let m = wg.x * BM + index % BM;
  let group = first + index / BM;
  if (index < SCALES && m < params.num_rows && group < GROUPS) {
    next.scale = x_row_scale(m, group);
  }
  return next;
}

// Rows are padded by a vector, so that neighbouring threads write to different banks.
fn store_pieces(next: Pieces, index: u32) {
  let vectors = bufferView<array<vec4<u32>, SCALES_AT / 4u>>(&memory, 0);
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (X_VECTORS % WG_SIZE == 0u || item < X_VECTORS) {
      let row = item % X_HALF / X_ROW_VECTORS;
      vectors[(item / X_HALF * X_PLANE + row * STRIDE) / 4u + item % X_ROW_VECTORS] = next.x$i;
    }
  }
#endfor
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
  if (index < SCALES) {
    let scales = bufferView<array<f32>>(&memory, SCALES_AT * 4u);
    scales[index] = next.scale.x;
    scales[SCALES + index] = next.scale.y;
  }
}

// Of W: s and z of this thread's column in each matrix of its subgroup.
struct Scales {
#for j in TN
  s$j: u32,
#endfor
}

fn load_scales(wg: vec3<u32>, group: u32, warp_n: u32, index: u32) -> Scales {
  var scales = Scales();
  if (group < GROUPS) {
#for j in TN
    {
      let n = weight_row(wg.y, (warp_n * TN + $j) * 16u + index % 16u);
      scales.s$j = weight_word(params.scales_at + n * NUM_GROUPS + group * GK / GROUP_SIZE);
    }
#endfor
  }
  return scales;
}
