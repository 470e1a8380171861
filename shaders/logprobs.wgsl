// How probable the sampled id was, and which ids were the most probable, by the model itself: before penalties, biases,
// temperature and cuts.        p[r, v] = l[r, v] - log sum_u e^l[r, u]; logits l: f32 [rows, vocab]
//   report[r] = p of sampled[r] | (id, p) of the slot's num_top most probable ids, the lowest id first among equals
// Thread map: one workgroup of WG_SIZE a row; a thread takes quads of ids 4i .. 4i+3 and holds the best of its ids that is
// not reported yet. Each round the best of all is reported, and its thread looks for its next one.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import reduce
#import candidates

const NOTHING = -3.0e38;

struct Best {
  logit: f32,
  id: u32,
}

var<workgroup> shared_num_top: u32;
var<workgroup> lowest_id: atomic<u32>;
var<workgroup> shared_lowest: u32;

// The first of the thread's ids behind (logit, id) in the order of the report.
fn next_best(behind: Best, thread: u32) -> Best {
  var best = Best(NOTHING, LEFT_OUT);
  for (var quad = thread; quad < num_quads(); quad += WG_SIZE) {
    let x = scores(quad);
    for (var i = 0u; i < 4u; i++) {
      let id = quad * 4u + i;
      let is_behind = x[i] < behind.logit || (x[i] == behind.logit && id > behind.id);
      if (id < params.vocab_size && is_behind && x[i] > best.logit) {
        best = Best(x[i], id);
      }
    }
  }
  return best;
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  first_quad = params.logits_at / 4u + group.x * (params.logits_stride / 4u);
  let report = LOGPROBS_AT + (params.sampled_row + group.x) * LOGPROB_WORDS;
  if (thread == 0u) {
    shared_num_top = min(state[slot_word(row_slot(group.x), SLOT_NUM_TOP)], params.vocab_size);
  }
  let num_top = workgroupUniformLoad(&shared_num_top);
  var best = next_best(Best(3.0e38, 0u), thread);
  let most = lanes_max(best.logit, thread);
  var mass = 0.0;
  for (var quad = thread; quad < num_quads(); quad += WG_SIZE) {
    let e = select(vec4<f32>(0.0), exp(scores(quad) - vec4<f32>(most)), in_vocab(quad));
    mass += e.x + e.y + e.z + e.w;
  }
  let log_mass = log(lanes_sum(mass, thread));
  if (thread == 0u) {
    let id = state[SAMPLED_AT + params.sampled_row + group.x];
    state[report] = bitcast<u32>(scores(id / 4u)[id % 4u] - most - log_mass);
  }
  for (var round = 0u; round < num_top; round++) {
    if (thread == 0u) {
      atomicStore(&lowest_id, LEFT_OUT);
    }
    let logit = lanes_max(best.logit, thread);
    workgroupBarrier();
    if (best.logit == logit) {
      atomicMin(&lowest_id, best.id);
    }
    workgroupBarrier();
    if (thread == 0u) {
      shared_lowest = atomicLoad(&lowest_id);
    }
    let id = workgroupUniformLoad(&shared_lowest);
    if (best.id == id) {
      state[report + 1u + 2u * round] = id;
      state[report + 2u + 2u * round] = bitcast<u32>(logit - most - log_mass);
      best = next_best(Best(logit, id), thread);
    }
  }
}
