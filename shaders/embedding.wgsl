// embedding gather: out[r, k] = scale * W[token(r), k]
// W: packed w4 | w8 | w16 [vocab, cols]; out: f32 [rows, cols] in scratch.
// Thread map: workgroup (x, y) covers words 64x .. 64x+63 of row y; a thread expands one 32-bit word of codes.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import packed

const PER_WORD = 32u / BITS;

fn element(word: u32, i: u32) -> f32 {
#if BITS == 16
  return unpack2x16float(word)[i];
#else
  return f32((word >> (i * BITS)) & ((1u << BITS) - 1u));
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  let first = id.x * PER_WORD;
  if (first >= params.cols) {
    return;
  }
  let token = row_token(row);
  let word = weight_word(params.codes_at + token * (params.padded_cols / PER_WORD) + id.x);
#if BITS == 16
  let sz = vec2<f32>(1.0, 0.0);
#else
  let sz = scale_zero(params.scales_at + token * params.num_groups + first / GROUP_SIZE);
#endif
  for (var i = 0u; i < PER_WORD && first + i < params.cols; i++) {
    scratch[params.out_at + row * params.cols + first + i] = params.scale * sz.x * (element(word, i) - sz.y);
  }
}
