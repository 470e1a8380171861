// Attention of decode_layers.wgsl: the work of decode_attention.wgsl dealt out to the workgroups of the dispatch, and of
// attention_merge.wgsl where there are several splits.

// A layer without rope, or without K bias, in a program for layers that have it.
const NOWHERE = 0xffffffffu;

struct Params {
  rope_at: u32,
  q_norm_at: u32,
  k_norm_at: u32,
  eps: f32,
  query_scale: f32,
  growth_beta: f32,
  growth_span: u32,
  key_bias_at: u32,
  layer_at: u32,
  num_splits: u32,
  window: u32,
  softcap: f32,
  bias_pairs: u32,
  qkv: Place,
  partials: Place,
  out: Place,
}

var<private> params: Params;

fn params_of(words: PlanWords) -> Params {
  let f = array<vec4<u32>, 3>(words[5], words[6], words[7]);
  return Params(
    words[0].y, words[0].z, words[0].w,
    bitcast<f32>(words[1].x), bitcast<f32>(words[1].y), bitcast<f32>(words[1].z), words[1].w,
    words[2].x, words[2].y, launch.num_splits, words[2].z, bitcast<f32>(words[2].w), words[3].x,
    Place(f[0].x, f[0].y, f[0].z, f[0].w), Place(f[1].x, f[1].y, f[1].z, f[1].w), Place(f[2].x, f[2].y, f[2].z, f[2].w));
}

// Cells lie where linears stage their input.
fn cell(i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(staged[i / 4u][i % 4u]);
}

fn cell_float(i: u32, lane: u32) -> f32 {
  return bitcast<f32>(staged[i / 4u][i % 4u][lane]);
}

fn put_cell(i: u32, value: vec4<f32>) {
  staged[i / 4u][i % 4u] = bitcast<vec4<u32>>(value);
}

fn put_output(at: u32, value: f32) {
  if (params.num_splits == 1u) {
    give(word_at(params.out, at), value, params.out.tag);
  } else {
    give(word_at(params.partials, at), value, params.partials.tag);
  }
}

// What is the same in all layers, fetched once: the row's slot and position, and the block numbers of a first tile.
var<private> slot: u32;
var<private> position: u32;
var<private> kept_number: u32;
var<private> kept_block: u32;

fn load_place() {
  slot = row_slot(0u);
  position = row_position(0u);
  kept_number = 0xffffffffu;
}

fn own_slot(row: u32) -> u32 {
  return slot;
}

fn own_position(row: u32) -> u32 {
  return position;
}

// A thread asks for the same one in every layer, unless there are several tiles or items.
fn own_block(slot: u32, number: u32, index: u32) -> u32 {
  if (kept_number != number) {
    kept_number = number;
    kept_block = block_of(slot, number);
  }
  return kept_block;
}

#if ROTARY_DIM > 0
var<workgroup> angles: array<vec2<f32>, ROTARY_DIM / 2>;
#endif

fn raw_pair(head: Head, dims: vec2<u32>) -> vec2<f32> {
  return vec2<f32>(values[head.base + dims.x], values[head.base + dims.y]);
}

// Word in scratch of float `i` of the heads q0 .. q3, k, v, or whether a query head is one too many.
struct HeadWord {
  at: u32,
  exists: bool,
}

fn head_word(kv_head: u32, first_head: u32, i: u32) -> HeadWord {
  let number = i / HEAD_DIM;
  var head = kv_head * RATIO + min(first_head + number, RATIO - 1u);
  if (number >= 4u) {
    head = HEADS + kv_head + select(KV_HEADS, 0u, number == 4u);
  }
  return HeadWord(word_at(params.qkv, head * HEAD_DIM + i % HEAD_DIM), number >= 4u || first_head + number < RATIO);
}

fn put_head(word: HeadWord, i: u32, loaded: u32) {
  values[i] = select(0.0, settled(loaded, word.at, params.qkv.tag), word.exists);
}

// The heads that load_heads of decode_row.wgsl prepares, as the linear left them, two floats of a thread at a time.
fn stage_heads(kv_head: u32, first_head: u32, position: u32, index: u32) {
#if ROTARY_DIM > 0
  for (var i = index; i < ROTARY_DIM / 2u; i += WG_SIZE) {
    angles[i] = vec2<f32>(1.0, 0.0);
    if (params.rope_at != NOWHERE) {
      angles[i] = rope_angle(position, i);
    }
  }
#endif
  const FLOATS = HEADS_AT_ONCE * HEAD_DIM;
  for (var i = index; i < FLOATS; i += 2u * WG_SIZE) {
    let next = min(i + WG_SIZE, FLOATS - 1u);
    let word = head_word(kv_head, first_head, i);
    let next_word = head_word(kv_head, first_head, next);
    let loaded = atomicLoad(&scratch[word.at]);
    let next_loaded = atomicLoad(&scratch[next_word.at]);
    put_head(word, i, loaded);
    if (i + WG_SIZE < FLOATS) {
      put_head(next_word, next, next_loaded);
    }
  }
  workgroupBarrier();
}

var<workgroup> split_tops: array<vec2<f32>, MAX_SPLITS>;

fn partial_word(head: u32, split: u32, i: u32) -> u32 {
  return word_at(params.partials, (head * params.num_splits + split) * (HEAD_DIM + 4u) + i);
}

// Partials of a thread that are on their way at a time.
const MERGED = 8u;

// out[d] = sum_s w_s acc_s[d] / sum_s w_s l_s,  w_s = exp(m_s - max_s m_s)
fn merge_head(head: u32, index: u32) {
  let tag = params.partials.tag;
  if (index < params.num_splits) {
    let top = atomicLoad(&scratch[partial_word(head, index, 0u)]);
    let total = take(partial_word(head, index, 1u), tag);
    split_tops[index] = vec2<f32>(settled(top, partial_word(head, index, 0u), tag), total);
  }
  workgroupBarrier();
  var top = HIDDEN;
  for (var s = 0u; s < params.num_splits; s++) {
    top = max(top, split_tops[s].x);
  }
  for (var d = index; d < HEAD_DIM; d += WG_SIZE) {
    var sum = 0.0;
    var total = 0.0;
    for (var first = 0u; first < params.num_splits; first += MERGED) {
#for i in 8
      let at$i = partial_word(head, min(first + $i, params.num_splits - 1u), 4u + d);
      let word$i = atomicLoad(&scratch[at$i]);
#endfor
#for i in 8
      if (first + $i < params.num_splits) {
        let part = split_tops[first + $i];
        // An empty split has no top, and a sum of 0.
        let weight = select(0.0, exp(part.x - top), part.y > 0.0);
        total += weight * part.y;
        sum += weight * settled(word$i, at$i, tag);
      }
#endfor
    }
    give(word_at(params.out, head * HEAD_DIM + d), sum / total, params.out.tag);
  }
  workgroupBarrier();
}

// All threads call, in uniform control flow.
fn attention(words: PlanWords, wg: u32, num_wg: u32, index: u32) {
  params = params_of(words);
  let items = launch.num_splits * KV_HEADS * HEAD_PARTS;
  for (var item = wg; item < items; item += num_wg) {
    attend(vec3<u32>(item % launch.num_splits, item / launch.num_splits, 0u), index);
    workgroupBarrier();
  }
  for (var head = wg; head < HEADS && launch.num_splits > 1u; head += num_wg) {
    merge_head(head, index);
  }
}
