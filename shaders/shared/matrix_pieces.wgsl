// What a thread of gemm_matrix.wgsl brings into workgroup memory: pieces of eight k of one row of x or of W, in f16, with k in
// the order in which codes leave their word (w4: 0 4 1 5 2 6 3 7, w8: 0 2 1 3 4 6 5 7).
// Needs: weights, scratch; `#import packed`, `fours`; weight_row; the constants of gemm_matrix.wgsl.

fn pair(x: f16, y: f16) -> u32 {
  return bitcast<u32>(vec2<f16>(x, y));
}

fn x_octet(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  let p = four(a);
  let q = four(b);
#if BITS == 4
  return vec4<u32>(pair(p.x, q.x), pair(p.y, q.y), pair(p.z, q.z), pair(p.w, q.w));
#elif BITS == 8
  return vec4<u32>(pair(p.x, p.z), pair(p.y, p.w), pair(q.x, q.z), pair(q.y, q.w));
#else
  return vec4<u32>(pair(p.x, p.y), pair(p.z, p.w), pair(q.x, q.y), pair(q.z, q.w));
#endif
}

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

// A piece of W as it is stored, with the scale and zero of its group.
struct Packed {
#if BITS == 4
  codes: u32,
#elif BITS == 8
  codes: vec2<u32>,
#else
  codes: vec4<u32>,
#endif
  scale: u32,
}

fn load_packed(n: u32, k: u32) -> Packed {
#if K_TAIL
  if (k >= K) {
    return Packed();
  }
#endif
  let word = params.codes_at * 4u + (n * PADDED_K + k) / (32u / BITS);
#if BITS == 16
  return Packed(vec4<u32>(weight_word(word), weight_word(word + 1u), weight_word(word + 2u), weight_word(word + 3u)), 0u);
#else
  let scale = weight_word(params.scales_at + n * NUM_GROUPS + k / GROUP_SIZE);
#if BITS == 4
  return Packed(weight_word(word), scale);
#else
  return Packed(vec2<u32>(weight_word(word), weight_word(word + 1u)), scale);
#endif
#endif
}

fn unpacked(w: Packed) -> vec4<u32> {
#if BITS == 16
  return w.codes;
#else
  let sz = bitcast<vec2<f16>>(w.scale);
  let s = vec2<f16>(sz.x);
  let z = vec2<f16>(sz.y);
#if BITS == 4
  let a = w.codes;
  return vec4<u32>(weighed(a, s, z), weighed(a >> 4u, s, z), weighed(a >> 8u, s, z), weighed(a >> 12u, s, z));
#else
  let a = w.codes.x;
  let b = w.codes.y;
  return vec4<u32>(weighed(a, s, z), weighed(a >> 8u, s, z), weighed(b, s, z), weighed(b >> 8u, s, z));
#endif
#endif
}

// What a thread has on its way: one or two pieces of x and of W, ROW_STEP rows apart.
struct Pieces {
  x0: vec4<u32>,
  x1: vec4<u32>,
  w0: Packed,
  w1: Packed,
}

// Sums of squares of this thread's one or two rows.
var<private> squares: vec2<f32>;

fn load_x(m: u32, k: u32, item: u32) -> vec4<u32> {
  let a = x4(m, k);
  let b = x4(m, k + 4u);
#if NORM
  squares += select(vec2<f32>(0.0, 1.0), vec2<f32>(1.0, 0.0), item == 0u) * (dot(a, a) + dot(b, b));
#endif
  return x_octet(gained(a, k), gained(b, k + 4u));
}

fn load_pieces(wg: vec3<u32>, first: u32, index: u32) -> Pieces {
  let row = index / OCTETS;
  let k = first + index % OCTETS * 8u;
  var next = Pieces();
  next.x0 = load_x(wg.x * BM + row, k, 0u);
#if X_ITEMS > 1
  next.x1 = load_x(wg.x * BM + row + ROW_STEP, k, 1u);
#endif
  next.w0 = load_packed(weight_row(wg.y, row), k);
#if W_ITEMS > 1
  next.w1 = load_packed(weight_row(wg.y, row + ROW_STEP), k);
#endif
  return next;
}
