// What is asked of the next id, put into its logits: f32 [rows, vocab] -> f32 [rows, vocab], out of place.
//   n[v] = occurrences of v in the completion; seen[v] = v in prompt or completion
//   x = seen[v] ? (l > 0 ? l / repetition : l * repetition) : l
//   out[r, v] = banned[v] ? -3e38 : x - n[v] * frequency - (n[v] > 0) * presence + bias[v]
//   banned: end ids before the least length is reached, the last id of a phrase whose other ids are the last of the
//   sequence, and what a bias of -100 bans. A slot that asks for nothing gets its logits as they are.
// The sequence of row r are ids[slot][0 ..= position(r)]. Controls of a slot: (id, f32 bias) of distinct ids | end ids |
// a phrase each: offset * 1024 + length | ids of the phrases.
// Thread map: workgroup (x, y) covers ids 1024 x .. 1024 x + 1023 of row y. It notes in workgroup memory which of its ids
// the lists name, each thread looking at every 256th entry; then a thread writes four neighbouring ids.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state

const SPAN = 1024u;
const THREADS = 256u;
const SEEN = 0x80000000u;
const BANNED = 0x40000000u;
const BAN_BIAS = -100.0;

// SEEN, BANNED, and below them the occurrences in the completion
var<workgroup> marks: array<atomic<u32>, SPAN>;
var<workgroup> biases: array<f32, SPAN>;

fn ban(id: u32, first: u32) {
  if (id - first < SPAN) {
    atomicOr(&marks[id - first], BANNED);
  }
}

// id - first wraps around below `first`, so one comparison is enough
fn mark_ids(slot: u32, position: u32, first: u32, thread: u32) {
  let num_prompt_tokens = state[slot_word(slot, SLOT_NUM_PROMPT_TOKENS)];
  for (var i = thread; i <= position; i += THREADS) {
    let id = state[IDS_AT + slot * IDS_STRIDE + i];
    if (id - first < SPAN) {
      atomicOr(&marks[id - first], SEEN);
      if (i >= num_prompt_tokens) {
        atomicAdd(&marks[id - first], 1u);
      }
    }
  }
}

fn mark_biases(controls: u32, num_biases: u32, first: u32, thread: u32) {
  for (var i = thread; i < num_biases; i += THREADS) {
    let id = state[controls + 2u * i];
    if (id - first < SPAN) {
      let bias = bitcast<f32>(state[controls + 2u * i + 1u]);
      biases[id - first] = bias;
      if (bias <= BAN_BIAS) {
        ban(id, first);
      }
    }
  }
}

fn ends_with(slot: u32, position: u32, phrase: u32, length: u32) -> bool {
  if (position + 2u < length) {
    return false;
  }
  let start = IDS_AT + slot * IDS_STRIDE + position + 2u - length;
  for (var i = 0u; i + 1u < length; i++) {
    if (state[start + i] != state[phrase + i]) {
      return false;
    }
  }
  return true;
}

fn mark_phrases(slot: u32, position: u32, heads: u32, first: u32, thread: u32) {
  let num_phrases = state[slot_word(slot, SLOT_NUM_PHRASES)];
  for (var i = thread; i < num_phrases; i += THREADS) {
    let head = state[heads + i];
    let phrase = heads + num_phrases + head / 1024u;
    let length = head % 1024u;
    let last = state[phrase + length - 1u];
    if (last - first < SPAN && ends_with(slot, position, phrase, length)) {
      ban(last, first);
    }
  }
}

fn mark_all(slot: u32, position: u32, first: u32, thread: u32) {
  let at = slot_word(slot, 0u);
  let penalties = vec3<f32>(bitcast<f32>(state[at + SLOT_REPETITION_PENALTY]) - 1.0,
    bitcast<f32>(state[at + SLOT_FREQUENCY_PENALTY]), bitcast<f32>(state[at + SLOT_PRESENCE_PENALTY]));
  if (any(penalties != vec3<f32>(0.0))) {
    mark_ids(slot, position, first, thread);
  }
  let controls = CONTROLS_AT + slot * MAX_CONTROL_WORDS;
  let num_biases = state[at + SLOT_NUM_BIASES];
  mark_biases(controls, num_biases, first, thread);
  let ends = controls + 2u * num_biases;
  let num_end_ids = state[at + SLOT_NUM_END_IDS];
  if (position + 1u < state[at + SLOT_FIRST_END]) {
    for (var i = thread; i < num_end_ids; i += THREADS) {
      ban(state[ends + i], first);
    }
  }
  mark_phrases(slot, position, ends + num_end_ids, first, thread);
}

fn adjusted(logit: f32, at: u32, index: u32) -> f32 {
  let mark = atomicLoad(&marks[index]);
  if ((mark & BANNED) != 0u) {
    return -3.0e38;
  }
  var x = logit;
  if ((mark & SEEN) != 0u) {
    let repetition = bitcast<f32>(state[at + SLOT_REPETITION_PENALTY]);
    if (repetition != 1.0) {
      x = select(x * repetition, x / repetition, x > 0.0);
    }
    let count = mark & (BANNED - 1u);
    if (count > 0u) {
      x -= f32(count) * bitcast<f32>(state[at + SLOT_FREQUENCY_PENALTY]);
      x -= bitcast<f32>(state[at + SLOT_PRESENCE_PENALTY]);
    }
  }
  return x + biases[index];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let slot = row_slot(group.y);
  let first = group.x * SPAN;
  for (var i = thread; i < SPAN; i += THREADS) {
    atomicStore(&marks[i], 0u);
    biases[i] = 0.0;
  }
  workgroupBarrier();
  mark_all(slot, row_position(group.y), first, thread);
  workgroupBarrier();
  let quad = group.x * THREADS + thread;
  if (quad * 4u < params.vocab_size) {
    let x = scratch[params.logits_at / 4u + group.y * (params.stride / 4u) + quad];
    let at = slot_word(slot, 0u);
    let index = thread * 4u;
    scratch[params.out_at / 4u + group.y * (params.stride / 4u) + quad] = vec4<f32>(adjusted(x.x, at, index),
      adjusted(x.y, at, index + 1u), adjusted(x.z, at, index + 2u), adjusted(x.w, at, index + 3u));
  }
}
