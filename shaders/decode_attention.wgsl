// Attention of a decode row over the paged cache, its own token appended on the way: one row, one split of the tokens,
// up to four query heads of one kv head.
//   q, k: rope(norm(x)), q scaled, k and v quantised and stored (shared/rope_head.wgsl), by the split that holds the token
//   score[h, t] = sum_d q[h, d] k^[t, d] = s_t sum_d q code + o_t sum_d q      (then softcap, window)
//   plus the terms of K's bias where that is kept out of the cache (shared/key_bias.wgsl)
//   out[h, d] = sum_t p[h, t] v^[t, d] / sum_t p[h, t],  p = exp(score - max)  (V scale folded into p, offset summed apart)
// qkv: f32 [rows][HEADS + 2 KV_HEADS][HEAD_DIM], out: f32 [rows][HEADS][HEAD_DIM], or where SPLIT partials
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
const HEADS_AT_ONCE = 6u;
const DIM_LANES = HEAD_DIM / 4;
const TOKEN_GROUPS = WG_SIZE / DIM_LANES;
const HIDDEN = -3.0e38;

var<workgroup> q_tile: array<real4, HEAD_DIM>;
// Probabilities by token, at last output columns.
var<workgroup> cells: array<vec4<f32>, 2 * WG_SIZE>;
var<workgroup> tile_blocks: array<u32, WG_SIZE / BLOCK_TOKENS>;
var<workgroup> shared_row: Row;

struct Row {
  slot: u32,
  position: u32,
  // Tokens [begin, end) of this split.
  begin: u32,
  end: u32,
}

#import state
#import kv
#import reduce
#import reduce4
#import rotary
#if KEY_BIAS
#import key_bias
#endif
#import rope_head
#import decode_scores
#import decode_output

// Blocks are dealt out evenly to the splits; the first may be cut by the window.
fn load_row(row: u32, split: u32) -> Row {
  let slot = row_slot(row);
  let position = row_position(row);
  let end = position + 1u;
  let begin = end - min(end, params.window);
  let first_block = begin / BLOCK_TOKENS;
  let num_blocks = (end + BLOCK_TOKENS - 1u) / BLOCK_TOKENS - first_block;
  let share = (num_blocks + params.num_splits - 1u) / params.num_splits;
  let start = (first_block + split * share) * BLOCK_TOKENS;
  return Row(slot, position, max(begin, start), min(end, start + share * BLOCK_TOKENS));
}

fn load_blocks(row: Row, first: u32, index: u32) {
  if (index < WG_SIZE / BLOCK_TOKENS && first + index * BLOCK_TOKENS < row.end) {
    tile_blocks[index] = params.layer_at + block_of(row.slot, first / BLOCK_TOKENS + index) * BLOCK_WORDS;
  }
}

// All heads of this workgroup into q_tile; k and v, if the row's token is one of this split's, into the cache.
fn load_heads(row: Row, wg: vec3<u32>, index: u32) {
  let kv_head = wg.y / HEAD_PARTS;
  let number = index / LANES;
  // Surplus threads begin behind the end.
  let lane = select(HEAD_DIM, index % LANES, number < HEADS_AT_ONCE);
  let first_head = wg.y % HEAD_PARTS * 4u;
  let qkv_at = params.qkv_at + wg.z * (HEADS + 2u * KV_HEADS) * HEAD_DIM;
  var head = Head(QUERY, kv_head, qkv_at + (kv_head * RATIO + first_head + number) * HEAD_DIM, number * HEAD_DIM, first_head + number < RATIO);
  if (number >= 4u) {
    head.kind = select(VALUE, KEY, number == 4u);
    head.at = qkv_at + (HEADS + kv_head + select(KV_HEADS, 0u, number == 4u)) * HEAD_DIM;
    head.exists = true;
  }
  prepare_head(head, row.position, lane, index);
  workgroupBarrier();
  load_queries(kv_head, query_scale(row.position), index);
  let block_at = params.layer_at + block_of(row.slot, row.position / BLOCK_TOKENS) * BLOCK_WORDS;
  let side = select(0u, 1u, head.kind == VALUE);
  let token = row.position % BLOCK_TOKENS;
  let stores = (number == 4u || number == 5u) && row.begin <= row.position && row.position < row.end;
  append_row(stores, head.base, kv_codes_at(block_at, kv_head, side, token), kv_params_at(block_at, kv_head, side, token), lane, index);
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  if (index == 0u) {
    shared_row = load_row(wg.z, wg.x);
  }
  let row = workgroupUniformLoad(&shared_row);
  let kv_head = wg.y / HEAD_PARTS;
  let dims = index % DIM_LANES;
  let group = index / DIM_LANES;
  let start = row.begin - row.begin % BLOCK_TOKENS;
  load_blocks(row, start, index);
  load_heads(row, wg, index);
  storageBarrier();
  workgroupBarrier();
  var top = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  var shift = vec4<f32>();
  var acc = mat4x4<f32>();
  for (var first = start; first < row.end; first += WG_SIZE) {
    let token = first + index;
    let seen = token >= row.begin && token < row.end;
    let block_at = tile_blocks[index / BLOCK_TOKENS];
    let count = min(WG_SIZE, row.end - first);
    // The first values are on their way while their weights are computed.
    var values0 = load_values(kv_head, group, count, dims);
    var values1 = load_values(kv_head, group + 8u * TOKEN_GROUPS, count, dims);
    var s = vec4<f32>(HIDDEN);
    if (seen) {
      s = score(block_at, kv_head, token);
    }
    let new_top = max(top, all_max4(s, index));
    let fall = exp(top - new_top);
    top = new_top;
    var p = vec4<f32>();
    if (seen) {
      p = exp(s - top);
    }
    total = total * fall + p;
#if KV_BITS < 16
    shift = shift * fall;
    if (seen) {
      let so = plain_fold(kv_word(kv_params_at(block_at, kv_head, 1u, token % BLOCK_TOKENS)));
      shift += p * so.y;
      p *= so.x;
    }
#endif
    cells[index] = p;
    workgroupBarrier();
    acc = decayed(acc, fall);
    for (var t = group; t < select(0u, count, group < TOKEN_GROUPS); t += 8u * TOKEN_GROUPS) {
      acc = weigh_batch(acc, t, values0);
      values0 = values1;
      values1 = load_values(kv_head, t + 16u * TOKEN_GROUPS, count, dims);
    }
    workgroupBarrier();
    if (first + WG_SIZE < row.end) {
      load_blocks(row, first + WG_SIZE, index);
      workgroupBarrier();
    }
  }
  write_heads(acc, top, all_sum4(total, index), all_sum4(shift, index), wg, index);
}
