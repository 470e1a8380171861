// One row, one split of its tokens, up to four query heads of one kv head: decode_attention.wgsl, where the sums are.
// Needs: cell and put_cell (of 2 WG_SIZE vectors), put_output; what rope_head, decode_scores and decode_output need.

var<workgroup> q_tile: array<real4, HEAD_DIM>;
var<workgroup> tile_blocks: array<u32, WG_SIZE / BLOCK_TOKENS>;
var<workgroup> shared_row: Row;

const HEADS_AT_ONCE = 6u;
const DIM_LANES = HEAD_DIM / 4;
const TOKEN_GROUPS = WG_SIZE / DIM_LANES;
// Tokens whose scores are computed at a time.
const TILE = WG_SIZE / KEY_LANES;
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
    head.kind = select(VALUE, KEY, number == 4u);
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
  if (index == 0u) {
    shared_row = load_row(wg.z, wg.x);
  }
  let row = workgroupUniformLoad(&shared_row);
  let kv_head = wg.y / HEAD_PARTS;
  let dims = index % DIM_LANES;
  let group = index / DIM_LANES;
  let start = row.begin - row.begin % BLOCK_TOKENS;
  load_blocks(row, start, index);
  workgroupBarrier();
  // Keys are on their way while the heads are prepared.
  let part = index % KEY_LANES;
  let own = start + index / KEY_LANES;
  var key = Key();
  if (own >= row.begin && own < row.end) {
    key = load_key(tile_blocks[index / KEY_LANES / BLOCK_TOKENS], kv_head, own, part);
  }
  load_heads(row, wg, index);
  storageBarrier();
  workgroupBarrier();
  if (own == row.position && row.position < row.end) {
    // It has just been stored.
    key = load_key(tile_blocks[index / KEY_LANES / BLOCK_TOKENS], kv_head, own, part);
  }
  var top = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  var shift = vec4<f32>();
  var acc = mat4x4<f32>();
  for (var first = start; first < row.end; first += TILE) {
    let token = first + index / KEY_LANES;
    let seen = token >= row.begin && token < row.end;
    let block_at = tile_blocks[index / KEY_LANES / BLOCK_TOKENS];
    let count = min(TILE, row.end - first);
    // The first values are on their way while their weights are computed.
    var values0 = load_values(kv_head, group, count, dims);
    var values1 = load_values(kv_head, group + 8u * TOKEN_GROUPS, count, dims);
    var parts = vec4<f32>();
    if (seen) {
      parts = part_score(key, block_at, kv_head, token, part);
    }
    parts = key_sum(parts);
    var s = vec4<f32>(HIDDEN);
    if (seen) {
      s = score(key, parts, token);
    }
    let new_top = max(top, all_max4(s, index));
    let fall = exp(top - new_top);
    top = new_top;
    var p = vec4<f32>();
    if (seen) {
      p = exp(s - top);
    }
    // One of the threads of a key speaks for all.
    let counts = seen && part == 0u;
    total = total * fall + select(vec4<f32>(), p, counts);
#if KV_BITS < 16
    shift = shift * fall;
    if (seen) {
      let so = plain_fold(key.value_fold);
      shift += select(vec4<f32>(), p * so.y, counts);
      p *= so.x;
    }
#endif
    if (part == 0u) {
      put_cell(index / KEY_LANES, p);
    }
    workgroupBarrier();
    acc = decayed(acc, fall);
    for (var t = group; t < select(0u, count, group < TOKEN_GROUPS); t += 8u * TOKEN_GROUPS) {
      acc = weigh_batch(acc, t, values0);
      values0 = values1;
      values1 = load_values(kv_head, t + 16u * TOKEN_GROUPS, count, dims);
    }
    workgroupBarrier();
    if (first + TILE < row.end) {
      load_blocks(row, first + TILE, index);
      workgroupBarrier();
      if (token + TILE < row.end) {
        key = load_key(tile_blocks[index / KEY_LANES / BLOCK_TOKENS], kv_head, token + TILE, part);
      }
    }
  }
  let sums = all_sums4(total, shift, index);
  write_heads(acc, top, sums[0], sums[1], wg, index);
}
