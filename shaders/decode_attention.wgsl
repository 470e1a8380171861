// Attention of a decode row over the paged cache, its own token appended on the way: one row, one split of the tokens,
// up to four query heads of one kv head.
//   q, k: rope(norm(x)), q scaled, k and v quantised and stored (shared/rope_head.wgsl), by the split that holds the token
//   score[h, t] = sum_d q[h, d] k^[t, d] = s_t sum_d q code + o_t sum_d q      (then softcap, window)
//   plus the terms of K's bias where that is kept out of the cache (shared/key_bias.wgsl)
//   out[h, d] = sum_t p[h, t] v^[t, d] / sum_t p[h, t],  p = exp(score - max)  (V scale folded into p, offset summed apart)
// qkv: f32 [rows][HEADS + 2 KV_HEADS][HEAD_DIM]. PARTS: [num_parts] of them, sums over parts of K that gemm_integer.wgsl has left; with
// BIAS its bias comes to them.
// out: f32 [rows][HEADS][HEAD_DIM], or with several splits partials [rows][HEADS][num_splits][HEAD_DIM + 4] = (max, sum of p, unused,
// unused, sum_t p v^). PREPARES: one split leaves what integer_rows.wgsl makes of out, for plane_rows rows.
// Thread map: workgroup (split, kv head and part of its heads, row). Query heads are the lanes of a vector.
//   heads   thread = (one of q0 … q3, k, v; every LANES-th pair)      scores  KEY_LANES threads = key, then thread = token
//   output  thread = (every TOKEN_GROUPS-th token, 4 dims), heads x dims in a mat4x4; then thread = (head, dim)
// HALF: q and K codes in f16, sums of four in f16, everything else in f32. V stays f32: p times scale would underflow.
#params
#if NORM != 0 || BIAS
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
#import packed
#endif
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
// Probabilities by token, at last output columns.
var<workgroup> cells: array<vec4<f32>, 2 * WG_SIZE>;
var<private> num_rows: u32;

#import state
#import kv
#import reduce
#import reduce4
#import rotary
#if KEY_BIAS
#import key_bias
#endif
#import decode_row
#if PREPARES
#import integer_octets
#endif

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

fn cell_float(i: u32, lane: u32) -> f32 {
  return cells[i][lane];
}

fn put_cell(i: u32, value: vec4<f32>) {
  cells[i] = value;
}

fn scratch_pair(at: u32, dims: vec2<u32>) -> vec2<f32> {
  let i = at + dims;
  return vec2<f32>(scratch[i.x / 4u][i.x % 4u], scratch[i.y / 4u][i.y % 4u]);
}

const QKV_COLS = (HEADS + 2u * KV_HEADS) * HEAD_DIM;

fn raw_pair(head: Head, dims: vec2<u32>) -> vec2<f32> {
#if PARTS
  let num_parts = params.planes_and_parts >> 16u;
  let part_floats = num_rows * QKV_COLS;
  var sum = vec2<f32>();
  // Many at a time, so that their loads do not wait for each other.
  for (var part = 0u; part < num_parts; part += TOGETHER) {
#for p in TOGETHER
    let part$p = scratch_pair(head.at + min(part + $p, num_parts - 1u) * part_floats, dims);
#endfor
#for p in TOGETHER
    sum += select(vec2<f32>(), part$p, part + $p < num_parts);
#endfor
  }
#if BIAS
  let n = params.bias_at + (head.at - params.qkv_at) % QKV_COLS + dims;
  sum += vec2<f32>(bitcast<f32>(weight_word(n.x)), bitcast<f32>(weight_word(n.y)));
#endif
  return sum;
#else
  return scratch_pair(head.at, dims);
#endif
}

fn put_output(at: u32, value: f32) {
  let i = params.out_at + at;
  scratch[i / 4u][i % 4u] = value;
}

#if PREPARES
// `heads` heads of `values`, from float `at` of the row's output on.
fn put_prepared(row: u32, at: u32, heads: u32, index: u32) {
  let place = PreparedPlace(params.out_at / 4u, num_rows, params.planes_and_parts & 0xffffu);
  let first = min(index, heads * (HEAD_DIM / 8u) - 1u) * 8u;
  let x = Floats8(
    vec4<f32>(values[first], values[first + 1u], values[first + 2u], values[first + 3u]),
    vec4<f32>(values[first + 4u], values[first + 5u], values[first + 6u], values[first + 7u]));
  put_octet(place, row, select(OCTETS, (at + first) / 8u, index * 8u == first), x);
}
#endif

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  num_rows = grid.z;
  attend(wg, index);
}
