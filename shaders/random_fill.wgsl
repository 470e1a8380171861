// Random packed weights from a seed, in the layout of src/weights/packed-tensor.ts:
//   codes[row, k]   w4 | w8: uniform codes; w16: half ± 2^e * (1 + m / 1024), e from base_half, m uniform; 0 in the padding
//   scales[row, g]  half s = base_half + (0 .. 63) units in the last place, half z = MIDDLE - 1 or MIDDLE, by turns of luck
// so that a weight has mean 0 and the deviation that base_half stands for. A word depends on the seed and its place in the
// image alone: device and slabs do not matter.
// slab: u32 words in fours; the tensor begins at word 4 * first_four and holds num_code_fours of codes, then num_scales words.
// Thread map: one four of words a thread, so that neighbours write neighbouring 16 bytes; grid of GRID_WIDTH workgroups a row.

#params
@group(0) @binding(0) var<storage, read_write> slab: array<vec4<u32>>;

const PER_WORD = 32u / BITS;

// Every bit of the result hangs on every bit of x (C. Wellons, "Prospecting for Hash Functions": lowbias32).
fn scramble(x: u32) -> u32 {
  var h = x;
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}

fn code_word(bits: u32, k: u32) -> u32 {
#if BITS == 16
  let word = (bits & 0x83ff83ffu) | (params.base_half * 0x10001u);
#else
  let word = bits;
#endif
  let left = params.cols - min(k, params.cols);
  if (left >= PER_WORD) {
    return word;
  }
  return word & ((1u << (left * BITS)) - 1u);
}

#if BITS < 16
fn scale_word(bits: u32) -> u32 {
  return (params.base_half + (bits & 63u)) | (select(u32(MIDDLE_HALF), u32(BELOW_MIDDLE_HALF), (bits & 64u) == 0u) << 16u);
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let four = (wg.x + wg.y * GRID_WIDTH) * 64u + index;
  if (four >= params.num_fours) {
    return;
  }
  var words: vec4<u32>;
  for (var i = 0u; i < 4u; i++) {
    let word = 4u * four + i;
    let bits = scramble(scramble(params.image_word + word) ^ params.seed);
    if (four < params.num_code_fours) {
      words[i] = code_word(bits, (word % params.row_words) * PER_WORD);
#if BITS < 16
    } else if (word - 4u * params.num_code_fours < params.num_scales) {
      words[i] = scale_word(bits);
#endif
    }
  }
  slab[params.first_four + four] = words;
}
