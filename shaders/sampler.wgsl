// next id: id[r] = sample(softmax(x[r, v] / T) cut by top-k, top-p, min-p); scores x: f32 [rows, vocab], the logits or what
// adjust.wgsl has made of them.        level y[v] = (max x - x[v]) / T >= 0
//   T = 0: the lowest v with x[v] = max x. Otherwise a draw in order of v from the integer masses
//   q[v] = round(2^31 e^-y[v] / Z) of the kept ids, kept = { v : level[v] <= limit }.
// Nothing is sorted. Levels are u32 (y * 2^27; ids with y >= 32 could never be drawn and are left out); top-k and top-p
// find their limits by radix selection with histograms of counts and masses; passes leave out the segments of 128 ids that
// have nothing for them, which after the first cut are most of them. All sums are integers, so neither the
// number of threads nor the order of atomics changes a bit, and a draw depends only on (logits, parameters, seed,
// position). exp, log and division differ by ulps between GPUs: ids at a boundary may differ there, never between batches.
// Thread map: one workgroup of WG_SIZE (256 or more) a row; a thread takes quads of ids 4i .. 4i+3, and asks for TOGETHER of them at
// a time where it goes through all: one by one, a row of a large vocabulary would be waited for 37 times. Afterwards thread 0
// writes the id to sampled[r] and, where FEEDS, to the slot: token, position + 1, and behind the sequence's ids.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import rng
#import reduce
#import histogram
#import candidates
#import segments

const BIN_QUADS = 256u;
// 17.5 and 22.3: what lies behind has no mass in units of 2^-24, or at a scale of 2^31.
const LAST_OF_SUM = 2348810240u;
const LAST_DRAWN = 2993056973u;

var<workgroup> shared_row: Row;
var<workgroup> lowest_id: atomic<u32>;

// Limit of the smallest set of levels that weighs enough, ties kept: top_k ids (scale 0), or top_p of all mass at or
// under `ceiling`.
fn select_limit(ceiling: u32, scale: f32, top_k: u32, top_p: f32, thread: u32) -> u32 {
  var low = 0u;
  var goal = top_k;
  for (var shift = 24u;; shift -= 8u) {
    clear_bins(thread);
    let last = select(KEEP_ALL, LAST_DRAWN, scale > 0.0);
    let farthest = min(min(ceiling, last), low + ((256u << shift) - 1u));
    for (var quad = thread; quad < num_quads(); quad += WG_SIZE) {
      if (is_beyond(quad, farthest)) {
        continue;
      }
      let level = levels(quad);
      var weight = select(vec4<u32>(0u), vec4<u32>(1u), level <= vec4<u32>(ceiling));
      if (scale > 0.0) {
        weight = masses(level, ceiling, scale);
      }
      tally(level.x, weight.x, low, shift);
      tally(level.y, weight.y, low, shift);
      tally(level.z, weight.z, low, shift);
      tally(level.w, weight.w, low, shift);
    }
    let total = scan_bins(thread);
    if (goal == 0u) {
      let share = multiply_wide(u32(top_p * 4294967296.0), total);
      goal = max(1u, share.x + select(0u, 1u, share.y > 0u));
    }
    if (total < goal) {
      return ceiling;
    }
    let found = find_bin(goal, thread);
    goal -= found.before;
    low += found.bin << shift;
    if (found.exact || shift == 0u) {
      return min(ceiling, low + ((1u << shift) - 1u));
    }
  }
}

// 2^31 / Z, Z = sum of e^-y of the kept ids, added as integers (24 bits each, in halves that cannot overflow)
fn mass_scale(limit: u32, thread: u32) -> f32 {
  clear_bins(thread);
  var high = 0u;
  var low = 0u;
  for (var quad = thread; quad < num_quads(); quad += WG_SIZE) {
    if (is_beyond(quad, min(limit, LAST_OF_SUM))) {
      continue;
    }
    let mass = masses(levels(quad), limit, 16777216.0);
    high += sum4(mass >> vec4<u32>(12u));
    low += sum4(mass & vec4<u32>(4095u));
  }
  atomicAdd(&bins[0], high);
  atomicAdd(&bins[1], low);
  workgroupBarrier();
  let z = f32(atomicLoad(&bins[0])) / 4096.0 + f32(atomicLoad(&bins[1])) / 16777216.0;
  workgroupBarrier();
  return 2147483648.0 / max(z, 1.0);
}

// The id at a random point of the kept mass: first which 1024 ids, added up by 32 threads each, then the quad, then the id.
fn draw(limit: u32, scale: f32, thread: u32) -> u32 {
  clear_bins(thread);
  for (var bin = thread / 32u; bin * BIN_QUADS < num_quads(); bin += WG_SIZE / 32u) {
    let end = min(num_quads(), (bin + 1u) * BIN_QUADS);
    var sum = 0u;
    for (var quad = bin * BIN_QUADS + thread % 32u; quad < end; quad += 32u) {
      if (!is_beyond(quad, min(limit, LAST_DRAWN))) {
        sum += sum4(masses(levels(quad), limit, scale));
      }
    }
    atomicAdd(&bins[bin], sum);
  }
  let total = scan_bins(thread);
  var goal = draw_below(total, philox(row.seed, vec2<u32>(row.position + 1u, 0u))) + 1u;
  let ids = find_bin(goal, thread);
  goal -= ids.before;
  if (thread < BIN_QUADS) {
    let quad = ids.bin * BIN_QUADS + thread;
    var sum = 0u;
    if (quad < num_quads()) {
      sum = sum4(masses(levels(quad), limit, scale));
    }
    atomicStore(&bins[thread], sum);
  }
  goal = min(goal, scan_bins(thread));
  let found = find_bin(goal, thread);
  let mass = masses(levels(ids.bin * BIN_QUADS + found.bin), limit, scale);
  goal -= found.before;
  let past = vec3<u32>(mass.x, mass.x + mass.y, mass.x + mass.y + mass.z) < vec3<u32>(goal);
  return (ids.bin * BIN_QUADS + found.bin) * 4u + u32(past.x) + u32(past.y) + u32(past.z);
}

fn commit(index: u32, choice: u32) {
  let id = min(choice, params.vocab_size - 1u);
  state[SAMPLED_AT + params.sampled_row + index] = id;
#if FEEDS
  let at = slot_word(row.slot, 0u);
  state[at + SLOT_TOKEN] = id;
  state[at + SLOT_POSITION] = row.position + 1u;
  if (row.position + 1u < IDS_STRIDE) {
    state[IDS_AT + row.slot * IDS_STRIDE + row.position + 1u] = id;
  }
#endif
}

// The lowest id of the largest score.
fn find_best(thread: u32) -> u32 {
  var best = -3.0e38;
  var best_id = LEFT_OUT;
  for (var first = thread; first < num_quads(); first += TOGETHER * WG_SIZE) {
#for i in TOGETHER
    let quad$i = min(first + $i * WG_SIZE, num_quads() - 1u);
    let x$i = loaded(quad$i);
#endfor
#for i in TOGETHER
    let s$i = scores_of(x$i, quad$i);
    let most$i = max4(s$i);
    if (most$i > best) {
      best = most$i;
      best_id = quad$i * 4u + select(select(select(3u, 2u, s$i.z == most$i), 1u, s$i.y == most$i), 0u, s$i.x == most$i);
    }
#endfor
  }
  if (best == lanes_max(best, thread)) {
    atomicMin(&lowest_id, best_id);
  }
  workgroupBarrier();
  return atomicLoad(&lowest_id);
}

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  if (thread == 0u) {
    shared_row = load_row(group.x);
    atomicStore(&lowest_id, LEFT_OUT);
  }
  let r = workgroupUniformLoad(&shared_row);
  row = r;
  let temperature = max(r.temperature, 1.0e-30);
  reach = FAR * temperature;
  inverse_temperature = 1.0 / temperature;
  first_quad = params.logits_at / 4u + group.x * (params.logits_stride / 4u);
  var choice = 0u;
  if (r.temperature == 0.0) {
    choice = find_best(thread);
  } else {
    top = find_top(thread);
    measure_segments(thread);
    var limit = KEEP_ALL;
    if (r.top_k > 0u && r.top_k < params.vocab_size) {
      limit = select_limit(reached_by(r.top_k, thread), 0.0, r.top_k, 1.0, thread);
    }
    let scale = mass_scale(limit, thread);
    if (r.top_p < 1.0) {
      limit = select_limit(limit, scale, 0u, r.top_p, thread);
    }
    if (r.min_p > 0.0) {
      limit = min(limit, level_of(vec4<f32>(max(0.0, -log(r.min_p)))).x);
    }
    choice = draw(limit, scale, thread);
  }
  storageBarrier();
  if (thread == 0u) {
    commit(group.x, choice);
  }
}
