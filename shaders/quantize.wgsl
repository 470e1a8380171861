// round to nearest, one row and group of columns a thread:
//   s = half(max(hi - lo, 1e-5) / MAX_CODE), lo = min(0, w...), hi = max(0, w...)
//   z = clamp(round(-lo / s), 0, MAX_CODE);  u = clamp(round(w / s) + z, 0, MAX_CODE);  w ~ s * (u - z)
// BITS == 16 stores halves instead. source: [rows, cols] of f32, f16 or bf16 (SOURCE 0, 1, 2), little-endian;
// packed: the layout of src/weights/packed-tensor.ts. flags[flag_at] gets bit 0 for a NaN or infinity, bit 1 for a
// value or scale beyond the range of a half.
// Every step is exact or correctly rounded (see steps), so all GPUs and the CPU twin give the same bits.

#params
@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> flags: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;

const PER_WORD = 32u / BITS;
const NOT_FINITE = 1u;
const TOO_LARGE = 2u;
const INFINITY_BITS = 0x7f800000u;

// f32 bits of element i; halves are widened by integer arithmetic, because floats may flush their subnormals
fn source_bits(i: u32) -> u32 {
#if SOURCE == 0
  return source[i];
#else
  let h = (source[i / 2u] >> (16u * (i & 1u))) & 0xffffu;
#if SOURCE == 2
  return h << 16u;
#else
  let sign = (h & 0x8000u) << 16u;
  let m = h & 0x7fffu;
  if (m >= 0x7c00u) {
    return sign | INFINITY_BITS | (m << 13u);
  }
  if (m < 0x400u) {
    return sign | bitcast<u32>(f32(m) * 5.9604644775390625e-8);
  }
  return sign | ((m << 13u) + (112u << 23u));
#endif
#endif
}

// f32 bits to half bits, nearest even; a carry out of the fraction rightly raises the exponent
fn half_bits(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let m = bits & 0x7fffffffu;
  if (m >= 0x47800000u) {
    return sign | 0x7c00u;
  }
  if (m < 0x33000000u) {
    return sign;
  }
  var value = m - (112u << 23u);
  var shift = 13u;
  if (m < 0x38800000u) {
    value = (m & 0x7fffffu) | 0x800000u;
    shift = 126u - (m >> 23u);
  }
  let low = value >> shift;
  let rest = value & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  return sign | (low + select(0u, 1u, rest > middle || (rest == middle && (low & 1u) == 1u)));
}

#if BITS < 16
// Half bits of a scale. Subnormal halves are coarse, so they are rounded up: then the codes still reach lo and hi.
fn scale_bits(s: f32) -> u32 {
  if (s < 6.103515625e-5) {
    return u32(ceil(s * 16777216.0));
  }
  return half_bits(bitcast<u32>(s));
}

fn half_value(h: u32) -> f32 {
  if (h < 0x400u) {
    return f32(h) * 5.9604644775390625e-8;
  }
  return bitcast<f32>((h << 13u) + (112u << 23u));
}

// round-half-even(w / s). The quotient of a GPU may be off in its last bits, but s is a half and k small, so (k ± 1/2) * s
// is exact: comparing with it repairs the rounding.
fn steps(w: f32, s: f32) -> i32 {
  let k = round(w / s);
  let odd = (i32(k) & 1) == 1;
  let high = (k + 0.5) * s;
  let low = (k - 0.5) * s;
  if (w > high || (w == high && odd)) {
    return i32(k) + 1;
  }
  if (w < low || (w == low && odd)) {
    return i32(k) - 1;
  }
  return i32(k);
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let groups = (params.padded_cols + GROUP_SIZE - 1u) / GROUP_SIZE;
  if (id.x >= params.rows * groups) {
    return;
  }
  let row = id.x / groups;
  let group = id.x % groups;
  let first = group * GROUP_SIZE;
  let count = min(first + GROUP_SIZE, params.cols) - first;
  let padded = min(first + GROUP_SIZE, params.padded_cols) - first;
  let source_at = row * params.cols + first;
  let codes_at = params.codes_at + (row * params.padded_cols + first) / PER_WORD;

  var flag = 0u;
#if BITS < 16
  var lo = 0.0;
  var hi = 0.0;
  for (var i = 0u; i < count; i++) {
    let bits = source_bits(source_at + i);
    if ((bits & INFINITY_BITS) == INFINITY_BITS) {
      flag |= NOT_FINITE;
    } else {
      lo = min(lo, bitcast<f32>(bits));
      hi = max(hi, bitcast<f32>(bits));
    }
  }
  let scale = scale_bits(max(hi - lo, 1e-5) * (1.0 / MAX_CODE));
  if (scale >= 0x7c00u) {
    flag |= TOO_LARGE;
  }
  if (flag != 0u) {
    atomicOr(&flags[params.flag_at], flag);
    return;
  }
  let s = half_value(scale);
  let z = clamp(steps(-lo, s), 0, MAX_CODE);
  packed[params.scales_at + row * groups + group] = scale | (half_bits(bitcast<u32>(f32(z))) << 16u);
#endif
  for (var at = 0u; at < padded; at += PER_WORD) {
    var word = 0u;
    for (var i = 0u; i < PER_WORD && at + i < count; i++) {
      let bits = source_bits(source_at + at + i);
#if BITS == 16
      let code = half_bits(bits);
      if ((bits & INFINITY_BITS) == INFINITY_BITS) {
        flag |= NOT_FINITE;
      } else if ((code & 0x7fffu) == 0x7c00u) {
        flag |= TOO_LARGE;
      }
#else
      let code = u32(clamp(steps(bitcast<f32>(bits), s) + z, 0, MAX_CODE));
#endif
      word |= code << (BITS * i);
    }
    packed[codes_at + at / PER_WORD] = word;
  }
#if BITS == 16
  if (flag != 0u) {
    atomicOr(&flags[params.flag_at], flag);
  }
#endif
}
