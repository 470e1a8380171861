// One row, one split of its tokens, up to four query heads of one kv head: decode_attention.wgsl, where the sums are.
// Every program of a step runs its code once a layer, long after the instruction cache has forgotten it, and many processors fetch
// it at a time: what is written out here costs more than what it computes. So loops stay loops.
// Needs: cell, cell_float and put_cell (of 2 WG_SIZE vectors), put_output; what rope_head, decode_scores and decode_output need.

var<workgroup> tile_blocks: array<u32, WG_SIZE / BLOCK_TOKENS>;
var<workgroup> shared_row: Row;
// Codes of k and of v of the row's own token, and their scales and offsets: nobody has to wait for what goes into the cache.
var<workgroup> own_row: array<u32, 2 * ROW_WORDS + 2>;

const HEADS_AT_ONCE = 6u;
// Of them, k and v.
const FIRST_STORED = 4u;
const DIM_LANES = HEAD_DIM / 4;
const TOKEN_GROUPS = WG_SIZE / DIM_LANES;
// Tokens whose scores are computed at a time.
const TILE = WG_SIZE;
const HIDDEN = -3.0e38;

struct Row {
  slot: u32,
  position: u32,
  // Tokens [begin, end) of this split.
  begin: u32,
  end: u32,
}

#import rope_head
#import decode_scores
#import decode_output

// Blocks are dealt out evenly to the splits; the first may be cut by the window.
fn load_row(row: u32, split: u32) -> Row {
  let slot = own_slot(row);
  let position = own_position(row);
  let end = position + 1u;
  let begin = end - min(end, params.window);
  let first_block = begin / BLOCK_TOKENS;
  let num_blocks = (end + BLOCK_TOKENS - 1u) / BLOCK_TOKENS - first_block;
  let share = (num_blocks + params.num_splits - 1u) / params.num_splits;
  let start = (first_block + split * share) * BLOCK_TOKENS;
  return Row(slot, position, max(begin, start), min(end, start + share * BLOCK_TOKENS));
}

fn tile_start(row: Row) -> u32 {
  return row.begin - row.begin % BLOCK_TOKENS;
}

fn load_blocks(row: Row, first: u32, index: u32) {
  if (index < WG_SIZE / BLOCK_TOKENS && first + index * BLOCK_TOKENS < row.end) {
    tile_blocks[index] = params.layer_at + own_block(row.slot, first / BLOCK_TOKENS + index, index) * BLOCK_WORDS;
  }
}

// All heads of this workgroup into q_tile; k and v, if the row's token is one of this split's, into the cache.
fn load_heads(row: Row, wg: vec3<u32>, index: u32) {
  let kv_head = wg.y / HEAD_PARTS;
  let number = index / LANES;
  // Surplus threads begin behind the end.
  let lane = select(HEAD_DIM, index % LANES, number < HEADS_AT_ONCE);
  let first_head = wg.y % HEAD_PARTS * 4u;
#if STAGED_HEADS
  let qkv_at = 0u;
#else
  let qkv_at = params.qkv_at + wg.z * (HEADS + 2u * KV_HEADS) * HEAD_DIM;
#endif
  var head = Head(QUERY, kv_head, qkv_at + (kv_head * RATIO + first_head + number) * HEAD_DIM, number * HEAD_DIM, first_head + number < RATIO);
  if (number >= 4u) {
    head.kind = select(VALUE, KEY, number == FIRST_STORED);
    head.at = qkv_at + (HEADS + kv_head + select(KV_HEADS, 0u, number == 4u)) * HEAD_DIM;
    head.exists = true;
  }
#if STAGED_HEADS
  stage_heads(kv_head, first_head, row.position, index);
#endif
  prepare_head(head, row.position, lane, index);
  workgroupBarrier();
  load_queries(kv_head, query_scale(row.position), index);
  let block_at = params.layer_at + block_of(row.slot, row.position / BLOCK_TOKENS) * BLOCK_WORDS;
  let side = select(0u, 1u, head.kind == VALUE);
  let token = row.position % BLOCK_TOKENS;
  let stores = (number == 4u || number == 5u) && row.begin <= row.position && row.position < row.end;
  append_row(stores, head.base, kv_codes_at(block_at, kv_head, side, token), kv_params_at(block_at, kv_head, side, token), lane, index);
}

// `wg`: split, kv head and part of its heads, row. All threads call, in uniform control flow.
fn attend(wg: vec3<u32>, index: u32) {
  {
    let row = load_row(wg.z, wg.x);
    if (index == 0u) {
      shared_row = row;
    }
    load_blocks(row, tile_start(row), index);
  }
  let row = workgroupUniformLoad(&shared_row);
  let kv_head = wg.y / HEAD_PARTS;
  let dims = index % DIM_LANES;
  let group = index / DIM_LANES;
  let start = tile_start(row);
  // Keys and values are on their way while the heads are prepared.
#for h in HELD
  var key$h = load_key(row, kv_head, start, $h, index);
#endfor
  var folds = load_folds(row, kv_head, start, index);
#for v in VALUES
  var value$v = value_words(kv_head, min(group + $v * TOKEN_GROUPS, row.end - 1u - start), dims);
#endfor
  load_heads(row, wg, index);
  workgroupBarrier();
  hold_query(index);
  let own_words = own_value(dims);
  var top = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  var shift = vec4<f32>();
  var acc = mat4x4<f32>();
  for (var first = start; first < row.end; first += TILE) {
    let token = first + own_token(index);
    let seen = token >= row.begin && token < row.end;
    let count = min(TILE, row.end - first);
    var parts = vec4<f32>();
    for (var i = 0u; i * KEY_GROUPS < count; i += HELD) {
#for h in HELD
      let parts$h = key_sum(part_score(key$h, row, kv_head, first, i + $h, index));
      parts = select(parts, parts$h, index % KEY_LANES == i + $h);
      key$h = load_key(row, kv_head, first, i + HELD + $h, index);
#endfor
    }
    var s = vec4<f32>(HIDDEN);
    if (token == row.position) {
      folds = own_folds();
    }
    if (seen) {
      s = score(folds, parts, token);
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
    let so = plain_fold(folds.value);
    shift = shift * fall + p * select(0.0, so.y, seen);
    p *= select(0.0, so.x, seen);
#endif
    put_cell(own_token(index), p);
    workgroupBarrier();
    acc = decayed(acc, fall);
    for (var t = group; t < select(0u, count, group < TOKEN_GROUPS); t += VALUES * TOKEN_GROUPS) {
#for v in VALUES
      acc += weighed(t + $v * TOKEN_GROUPS, select(value$v, own_words, first + t + $v * TOKEN_GROUPS >= row.position));
      value$v = value_words(kv_head, min(t + (VALUES + $v) * TOKEN_GROUPS, count - 1u), dims);
#endfor
    }
    workgroupBarrier();
    if (first + TILE < row.end) {
      load_blocks(row, first + TILE, index);
      workgroupBarrier();
#for h in HELD
      key$h = load_key(row, kv_head, first + TILE, $h, index);
#endfor
      folds = load_folds(row, kv_head, first + TILE, index);
#for v in VALUES
      value$v = value_words(kv_head, min(group + $v * TOKEN_GROUPS, row.end - 1u - first - TILE), dims);
#endfor
    }
  }
  let sums = all_sums4(total, shift, index);
  write_heads(acc, top, sums[0], sums[1], wg, index);
}
