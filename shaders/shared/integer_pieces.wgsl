// What a thread of gemm_integer.wgsl brings into workgroup memory: octets of x in bytes h and l, vectors of 16 bytes of one row of W
// in a byte a code, every eight k in the order in which codes leave their word.
// Needs: weights, scratch; `#import packed`; the constants of gemm_integer.wgsl.

#import tile_weights

// k of a vector; vectors of a row of one group, and of all rows of the tile; octets of x likewise.
const VECTOR_K = 128u / BITS;
const ROW_VECTORS = GK / VECTOR_K;
const W_VECTORS = WARPS_K * BN * ROW_VECTORS;
const ROW_OCTETS = GK / 8u;
const X_OCTETS = WARPS_K * BM * ROW_OCTETS;

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
    let octet = (first + item / (BM * ROW_OCTETS)) * ROW_OCTETS + item % ROW_OCTETS;
    let m = wg.x * BM + item / ROW_OCTETS % BM;
    if (m < params.num_rows && octet * 8u < PADDED_K) {
      next.x$i = bitcast<vec4<u32>>(scratch[params.in_at + m * params.in_stride + octet]);
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

// Word in its row of number `j` of what a thread has of one vector of 32 k, number `v`: neighbouring threads, which have
// neighbouring vectors and rows, write to different banks. x and W have them in the same places, so that no product changes.
fn word_place(row: u32, v: u32, j: u32) -> u32 {
  return row * STRIDE + j * (GK / 32u) + v;
}

fn store_pieces(next: Pieces, index: u32) {
  let words = bufferView<array<u32>>(&memory, 0);
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (X_OCTETS % WG_SIZE == 0u || item < X_OCTETS) {
      let octet = item % ROW_OCTETS;
      let at = word_place(item / ROW_OCTETS, octet / 4u, octet % 4u * 2u);
      words[at] = next.x$i.x;
      words[at + GK / 32u] = next.x$i.y;
      words[X_PLANE + at] = next.x$i.z;
      words[X_PLANE + at + GK / 32u] = next.x$i.w;
    }
  }
#endfor
#for i in W_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (W_VECTORS % WG_SIZE == 0u || item < W_VECTORS) {
      let row = item / ROW_VECTORS;
      let v = item % ROW_VECTORS;
#if BITS == 4
      let at = W_AT + word_place(row, v, 0u);
#for j in 4
      words[at + 2u * $j * (GK / 32u)] = next.w$i[$j] & 0x0f0f0f0fu;
      words[at + (2u * $j + 1u) * (GK / 32u)] = (next.w$i[$j] >> 4u) & 0x0f0f0f0fu;
#endfor
#else
      // As signed bytes: 128 less.
      let at = W_AT + word_place(row, v / 2u, v % 2u * 4u);
#for j in 4
      words[at + $j * (GK / 32u)] = next.w$i[$j] ^ 0x80808080u;
#endfor
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
