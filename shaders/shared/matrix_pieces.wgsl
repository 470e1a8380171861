// What a thread of gemm_matrix.wgsl brings into workgroup memory: octets of x as they are, and vectors of 16 bytes of one row of
// W, in f16, with every eight k in the order in which codes leave their word.
// Needs: weights, scratch; `#import packed`; the constants of gemm_matrix.wgsl.

#import tile_weights

#if BITS < 16
// Two codes that stand 16 bits apart, as w.
fn weighed(codes: u32, s: vec2<f16>, z: vec2<f16>) -> u32 {
#if BITS == 4
  let u = bitcast<vec2<f16>>((codes & 0x000f000fu) | 0x64006400u) - vec2<f16>(1024.0h);
#else
  let u = bitcast<vec2<f16>>((codes & 0x00ff00ffu) | 0x64006400u) - vec2<f16>(1024.0h);
#endif
  return bitcast<u32>((u - z) * s);
}
#endif

// Eight k of W: octet o of a vector.
fn w_octet(codes: vec4<u32>, o: u32, scale: u32) -> vec4<u32> {
#if BITS == 16
  return codes;
#else
  let sz = bitcast<vec2<f16>>(scale);
  let s = vec2<f16>(sz.x);
  let z = vec2<f16>(sz.y);
#if BITS == 4
  let a = codes[o];
  return vec4<u32>(weighed(a, s, z), weighed(a >> 4u, s, z), weighed(a >> 8u, s, z), weighed(a >> 12u, s, z));
#else
  let a = codes[2u * o];
  let b = codes[2u * o + 1u];
  return vec4<u32>(weighed(a, s, z), weighed(a >> 8u, s, z), weighed(b, s, z), weighed(b >> 8u, s, z));
#endif
#endif
}

// k of a vector, vectors of a tile's row, and vectors of the tile.
const VECTOR_K = 128u / BITS;
const ROW_VECTORS = BK / VECTOR_K;
const W_VECTORS = BN * ROW_VECTORS;
const X_OCTETS = BM * OCTETS;

// Row of the tile and number of the vector in it. Where rows are long, 32 neighbouring threads take four vectors of eight
// rows: whole sectors of memory, and rows in different banks.
fn vector_place(item: u32) -> vec2<u32> {
#if BK > 64
  let group = item / 32u;
  let column = group % (ROW_VECTORS / 4u) * 4u + item % 32u / 8u;
  return vec2<u32>(group / (ROW_VECTORS / 4u) * 8u + item % 8u, column);
#else
  return vec2<u32>(item / ROW_VECTORS, item % ROW_VECTORS);
#endif
}

// What a thread has on its way, as it is stored.
struct Pieces {
#for i in X_ITEMS
  x$i: vec4<u32>,
#endfor
#for i in W_ITEMS
  w$i: vec4<u32>,
  s$i: u32,
#endfor
}

fn load_pieces(wg: vec3<u32>, first: u32, index: u32) -> Pieces {
  var next = Pieces();
  if (first >= K) {
    return next;
  }
#for i in W_ITEMS
  {
    let place = vector_place($i * WG_SIZE + index);
    let k = first + place.y * VECTOR_K;
    let n = weight_row(wg.y, place.x);
#if K_TAIL
    if (k < PADDED_K) {
#else
    {
#endif
      next.w$i = weights[params.codes_at + (n * PADDED_K + k) / VECTOR_K];
#if BITS < 16
      next.s$i = weight_word(params.scales_at + n * NUM_GROUPS + k / GROUP_SIZE);
#endif
    }
  }
#endfor
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    let m = wg.x * BM + item / OCTETS;
    let octet = first / 8u + item % OCTETS;
#if K_TAIL
    if (m < params.num_rows && octet * 8u < PADDED_K) {
#else
    if (m < params.num_rows) {
#endif
      next.x$i = bitcast<vec4<u32>>(scratch[params.in_at + m * params.in_stride + octet]);
    }
  }
#endfor
  return next;
}

fn store_pieces(next: Pieces, index: u32) {
  let x_octets = bufferView<array<vec4<u32>>>(&x_memory, 0);
  let w_octets = bufferView<array<vec4<u32>>>(&w_memory, 0);
#for i in X_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (X_OCTETS % WG_SIZE == 0u || item < X_OCTETS) {
      x_octets[item / OCTETS * STRIDE + item % OCTETS] = next.x$i;
    }
  }
#endfor
#for i in W_ITEMS
  {
    let item = $i * WG_SIZE + index;
    if (W_VECTORS % WG_SIZE == 0u || item < W_VECTORS) {
      let place = vector_place(item);
      let at = place.x * STRIDE + place.y * (VECTOR_K / 8u);
#for o in VECTOR_OCTETS
#if BITS == 16
      w_octets[at + $o] = w_octet(next.w$i, $o, 0u);
#else
      w_octets[at + $o] = w_octet(next.w$i, $o, next.s$i);
#endif
#endfor
    }
  }
#endfor
}
