// Attention of a decode row over the paged cache, its own token appended on the way: one row, one split of the tokens,
// up to four query heads of one kv head.
//   q, k: rope(norm(x)), q scaled, k and v quantised and stored (shared/rope_head.wgsl), by the split that holds the token
//   score[h, t] = sum_d q[h, d] k^[t, d] = s_t sum_d q code + o_t sum_d q      (then softcap, window)
//   plus the terms of K's bias where that is kept out of the cache (shared/key_bias.wgsl)
//   out[h, d] = sum_t p[h, t] v^[t, d] / sum_t p[h, t],  p = exp(score - max)  (V scale folded into p, offset summed apart)
// qkv: f32 [rows][HEADS + 2 KV_HEADS][HEAD_DIM], out: f32 [rows][HEADS][HEAD_DIM], or with several splits partials
// [rows][HEADS][num_splits][HEAD_DIM + 4] = (max, sum of p, unused, unused, sum_t p v^).
// Thread map: workgroup (split, kv head and part of its heads, row). Query heads are the lanes of a vector.
//   heads   thread = (one of q0 … q3, k, v; every LANES-th pair)      scores  thread = token
//   output  thread = (every TOKEN_GROUPS-th token, 4 dims), heads x dims in a mat4x4
// HALF: q and K codes in f16, sums of four in f16, everything else in f32. V stays f32: p times scale would underflow.
#params
#if NORM != 0
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
#import packed
#endif
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
// Probabilities by token, at last output columns.
var<workgroup> cells: array<vec4<f32>, 2 * WG_SIZE>;

#import state
#import kv
#import reduce
#import reduce4
#import rotary
#if KEY_BIAS
#import key_bias
#endif
#import decode_row

fn own_slot(row: u32) -> u32 {
  return row_slot(row);
}

fn own_position(row: u32) -> u32 {
  return row_position(row);
}

fn own_block(slot: u32, number: u32, index: u32) -> u32 {
  return block_of(slot, number);
}

fn cell(i: u32) -> vec4<f32> {
  return cells[i];
}

fn put_cell(i: u32, value: vec4<f32>) {
  cells[i] = value;
}

fn put_output(at: u32, value: f32) {
  scratch[params.out_at + at] = value;
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  attend(wg, index);
}
