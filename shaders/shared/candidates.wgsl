// Ids of one row with their scores, levels and masses (see sampler.wgsl), in quads: ids 4i .. 4i+3.
// Needs: scratch as array<vec4<f32>>, state, params.vocab_size; `row` .. `inverse_temperature` set before use.

const LEVELS_PER_UNIT = 134217728.0;
const MAX_LEVEL = 4294967040.0;
const LEFT_OUT = 0xffffffffu;
const KEEP_ALL = 0xfffffffeu;
const FAR = 32.0;

struct Row {
  slot: u32,
  position: u32,
  seed: u32,
  top_k: u32,
  temperature: f32,
  top_p: f32,
  min_p: f32,
}

var<private> row: Row;
// Of the row's logits, in scratch.
var<private> first_quad: u32;
// Largest score.
var<private> top: f32;
// FAR * T: no id with a score this far under the top can be drawn.
var<private> reach: f32;
var<private> inverse_temperature: f32;

fn num_quads() -> u32 {
  return (params.vocab_size + 3u) / 4u;
}

fn load_row(index: u32) -> Row {
  let slot = row_slot(index);
  let at = slot_word(slot, 0u);
  return Row(slot, row_position(index), state[at + SLOT_SEED], state[at + SLOT_TOP_K],
    bitcast<f32>(state[at + SLOT_TEMPERATURE]), bitcast<f32>(state[at + SLOT_TOP_P]),
    bitcast<f32>(state[at + SLOT_MIN_P]));
}

fn in_vocab(quad: u32) -> vec4<bool> {
  return vec4<u32>(quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(params.vocab_size);
}

fn loaded(quad: u32) -> vec4<f32> {
  return scratch[first_quad + quad];
}

// The clamp keeps differences of scores finite, and keeps a compiler from fusing the product into them.
fn scores_of(x: vec4<f32>, quad: u32) -> vec4<f32> {
  return select(vec4<f32>(-1.0e38), clamp(x, vec4<f32>(-1.0e38), vec4<f32>(1.0e38)), in_vocab(quad));
}

fn scores(quad: u32) -> vec4<f32> {
  return scores_of(loaded(quad), quad);
}

fn level_of(y: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(min(y * LEVELS_PER_UNIT, vec4<f32>(MAX_LEVEL)));
}

fn levels(quad: u32) -> vec4<u32> {
  let distance = max(vec4<f32>(top) - scores(quad), vec4<f32>(0.0));
  let near = distance < vec4<f32>(reach);
  let level = level_of(select(vec4<f32>(0.0), distance, near) * inverse_temperature);
  return select(vec4<u32>(LEFT_OUT), level, near & in_vocab(quad));
}

// round(scale * e^-y) where level <= limit, else 0
fn masses(level: vec4<u32>, limit: u32, scale: f32) -> vec4<u32> {
  let e = exp(vec4<f32>(level) * (-1.0 / LEVELS_PER_UNIT));
  return select(vec4<u32>(0u), vec4<u32>(round(e * scale)), level <= vec4<u32>(limit));
}

fn sum4(v: vec4<u32>) -> u32 {
  return v.x + v.y + v.z + v.w;
}

fn max4(v: vec4<f32>) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}
