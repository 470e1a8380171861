// Flash-decoding over the paged cache: one row, one kv head, one split of its tokens, up to 8 query heads of the kv head.
//   score[h, t] = sum_d q[h, d] k^[t, d] = s_t sum_d q code + o_t sum_d q      (q is already scaled; then softcap, window)
//   plus the terms of K's bias where that is kept out of the cache (shared/key_bias.wgsl)
//   out[h, d] = sum_t p[h, t] v^[t, d] / sum_t p[h, t],  p = exp(score - max)  (V scale folded into p, offset summed apart)
// q: f32 [rows][q_stride], out: f32 [rows][HEADS][HEAD_DIM], or where SPLIT partials
// [rows][HEADS][num_splits][HEAD_DIM + 4] = (max, sum of p, unused, unused, sum_t p v^).
// Thread map: workgroup (split, kv head and part of its heads, row). Query heads are vector lanes, four to a vector.
//   scores  thread = (token of 64, one of 2 interleaved parts of the dims)     softmax  thread = (head group, token)
//   output  thread = (every TOKEN_GROUPS-th token, 4 dims), heads x dims in a mat4x4
// HALF: q and K codes in f16, sums of four in f16, everything else in f32. V stays f32: p times scale would underflow.
#params
@group(0) @binding(1) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import kv
#import reduce4
#import decode_output
#import decode_bias

const TILE = 64u;
const CHUNKS = ROW_WORDS / CHUNK_WORDS;
const QUADS = CHUNK_WORDS * 8 / KV_BITS;
const DIM_LANES = HEAD_DIM / 4;
const TOKEN_GROUPS = 128 / DIM_LANES;
const HIDDEN = -3.0e38;

var<workgroup> q_tile: array<real4, HEAD_DIM * HEAD_GROUPS>;
var<workgroup> q_sum: array<vec4<f32>, HEAD_GROUPS>;
// Scores by [part][token][head group], then probabilities by [token][head group], at last output columns.
var<workgroup> cells: array<vec4<f32>, 256>;
var<workgroup> decay: array<vec4<f32>, HEAD_GROUPS>;
var<workgroup> tile_blocks: array<u32, 64 / BLOCK_TOKENS>;
var<workgroup> span: vec2<u32>;

// Tokens [x, y) of this split: blocks are dealt out evenly, the first may be cut by the window.
fn split_span(position: u32, split: u32) -> vec2<u32> {
  let end = position + 1u;
  let begin = end - min(end, params.window);
  let first_block = begin / BLOCK_TOKENS;
  let num_blocks = (end + BLOCK_TOKENS - 1u) / BLOCK_TOKENS - first_block;
  let share = (num_blocks + params.num_splits - 1u) / params.num_splits;
  let start = (first_block + split * share) * BLOCK_TOKENS;
  return vec2<u32>(max(begin, start), min(end, start + share * BLOCK_TOKENS));
}

fn query(at: u32, head: u32, d: u32) -> f32 {
  return select(0.0, scratch[at + min(head, RATIO - 1u) * HEAD_DIM + d], head < RATIO);
}

fn load_query(at: u32, first_head: u32, index: u32) {
  for (var i = index; i < HEAD_DIM * HEAD_GROUPS; i += 128u) {
    let group = i / HEAD_DIM;
    let d = i % HEAD_DIM;
    let head = first_head + 4u * group;
    q_tile[d * HEAD_GROUPS + group] =
      real4(vec4<f32>(query(at, head, d), query(at, head + 1u, d), query(at, head + 2u, d), query(at, head + 3u, d)));
  }
}

fn sum_query(index: u32) {
  let group = min(index / TILE, HEAD_GROUPS - 1u);
  var sum = vec4<f32>();
  for (var d = index % TILE; d < HEAD_DIM; d += TILE) {
    sum += vec4<f32>(q_tile[d * HEAD_GROUPS + group]);
  }
  sum = lanes_sum4(sum, index);
  if (index % TILE == 0u && index < TILE * HEAD_GROUPS) {
    q_sum[group] = sum;
  }
}

fn four_dims(k: real4, at: u32) -> vec4<f32> {
  return vec4<f32>(k.x * q_tile[at] + k.y * q_tile[at + HEAD_GROUPS] + k.z * q_tile[at + 2 * HEAD_GROUPS] + k.w * q_tile[at + 3 * HEAD_GROUPS]);
}

fn score(kv_head: u32, token: u32, part: u32, first: u32) {
  let block_at = tile_blocks[token / BLOCK_TOKENS];
  let k_at = kv_codes_at(block_at, kv_head, 0u, token % BLOCK_TOKENS);
  var s0 = vec4<f32>();
  var s1 = vec4<f32>();
  for (var i = 0u; i < (CHUNKS + 1u) / 2u; i++) {
    let c = 2u * i + part;
    if (c < CHUNKS) {
      let words = kv_chunk(k_at + c * CHUNK_WORDS);
      for (var j = 0u; j < QUADS; j++) {
        let k = quad(words, j);
        let at = (c * QUADS + j) * 4u * HEAD_GROUPS;
        s0 += four_dims(k, at);
#if HEAD_GROUPS == 2
        s1 += four_dims(k, at + 1u);
#endif
      }
    }
  }
#if KV_BITS < 16
  let so = fold(kv_word(kv_params_at(block_at, kv_head, 0u, token % BLOCK_TOKENS)));
  let offset = select(0.0, so.y, part == 0u);
  s0 = s0 * so.x + offset * q_sum[0];
#if HEAD_GROUPS == 2
  s1 = s1 * so.x + offset * q_sum[1];
#endif
#endif
  let terms = bias_terms(first + token, part);
  cells[(part * TILE + token) * HEAD_GROUPS] = s0 + terms[0];
#if HEAD_GROUPS == 2
  cells[(part * TILE + token) * HEAD_GROUPS + 1u] = s1 + terms[1];
#endif
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let kv_head = wg.y / HEAD_PARTS;
  let slot = row_slot(wg.z);
  let first_head = (wg.y % HEAD_PARTS) * 4u * HEAD_GROUPS;
  load_query(params.q_at + wg.z * params.q_stride + kv_head * RATIO * HEAD_DIM, first_head, index);
  load_bias(wg.z, kv_head, first_head, index);
  if (index == 0u) {
    span = split_span(row_position(wg.z), wg.x);
  }
  let tokens = workgroupUniformLoad(&span);
#if KV_BITS < 16
  sum_query(index);
#endif
  let my_token = index % TILE;
  let my_group = index / TILE;
  let my_dims = index % DIM_LANES;
  var top = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  var shift = vec4<f32>();
  var acc0 = mat4x4<f32>();
  var acc1 = mat4x4<f32>();
  for (var first = tokens.x - tokens.x % BLOCK_TOKENS; first < tokens.y; first += TILE) {
    if (index < TILE / BLOCK_TOKENS && first + index * BLOCK_TOKENS < tokens.y) {
      tile_blocks[index] = params.layer_at + block_of(slot, first / BLOCK_TOKENS + index) * BLOCK_WORDS;
    }
    workgroupBarrier();
    if (first + index / 2u >= tokens.x && first + index / 2u < tokens.y) {
      score(kv_head, index / 2u, index % 2u, first);
    }
    workgroupBarrier();
    let seen = my_group < HEAD_GROUPS && first + my_token >= tokens.x && first + my_token < tokens.y;
    let cell = my_token * HEAD_GROUPS + my_group;
    var s = vec4<f32>(HIDDEN);
    if (seen) {
      s = cells[cell] + cells[TILE * HEAD_GROUPS + cell];
#if SOFTCAP
      s = params.softcap * precise_tanh(s / params.softcap);
#endif
    }
    let new_top = max(top, lanes_max4(s, index));
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
      let so = plain_fold(kv_word(kv_params_at(tile_blocks[my_token / BLOCK_TOKENS], kv_head, 1u, my_token % BLOCK_TOKENS)));
      shift += p * so.y;
      p *= so.x;
    }
#endif
    if (my_group < HEAD_GROUPS) {
      cells[cell] = p;
      if (my_token == 0u) {
        decay[my_group] = fall;
      }
    }
    workgroupBarrier();
    acc0 = decayed(acc0, decay[0]);
#if HEAD_GROUPS == 2
    acc1 = decayed(acc1, decay[1]);
#endif
    if (index < DIM_LANES * TOKEN_GROUPS) {
      for (var t = index / DIM_LANES; t < min(TILE, tokens.y - first); t += TOKEN_GROUPS) {
        let v_at = kv_codes_at(tile_blocks[t / BLOCK_TOKENS], kv_head, 1u, t % BLOCK_TOKENS);
        let v = plain_quad(row_quad(v_at, my_dims), 0u);
        acc0 += outer(cells[t * HEAD_GROUPS], v);
#if HEAD_GROUPS == 2
        acc1 += outer(cells[t * HEAD_GROUPS + 1u], v);
#endif
      }
    }
    workgroupBarrier();
  }
  let all = lanes_sum4(total, index);
  let all_shift = lanes_sum4(shift, index);
  if (my_token == 0u && my_group < HEAD_GROUPS) {
    tops[my_group] = top;
    totals[my_group] = all;
    shifts[my_group] = all_shift;
  }
  write_heads(acc0, 0u, wg, index);
#if HEAD_GROUPS == 2
  write_heads(acc1, 1u, wg, index);
#endif
}
