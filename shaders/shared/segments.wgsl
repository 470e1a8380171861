// Segments of 128 ids (32 quads, which 32 neighbouring threads take together) with their least level, so that a pass can
// leave out those that have nothing for it. Needs: reduce, histogram, candidates; WG_SIZE a multiple of 32; TOGETHER.

const SEGMENT_QUADS = 32u;
// A level that is computed in two places may differ by its last bits: 2^-15 of a unit of score.
const SLACK = 4096u;

// First the largest score, as an integer that sorts like the float, then the least level; 128 * 2048 ids.
var<workgroup> segments: array<atomic<u32>, 2048>;

fn num_segments() -> u32 {
  return (num_quads() + SEGMENT_QUADS - 1u) / SEGMENT_QUADS;
}

fn sort_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn score_of_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

// Largest score of a quad; its segment has one as large. All threads of a subgroup call.
fn note_segment(x: vec4<f32>, quad: u32, thread: u32) -> f32 {
  let is_there = quad < num_quads();
  let most = select(-3.0e38, max4(scores_of(x, quad)), is_there);
#if SUBGROUP_SIZE > 0
  let segment_most = subgroupMax(most);
  if (thread % min(SUBGROUP_SIZE, SEGMENT_QUADS) == 0u && is_there) {
    atomicMax(&segments[quad / SEGMENT_QUADS], sort_key(segment_most));
  }
#else
  if (is_there) {
    atomicMax(&segments[quad / SEGMENT_QUADS], sort_key(most));
  }
#endif
  return most;
}

// Largest score of the row; notes that of every segment.
fn find_top(thread: u32) -> f32 {
  for (var segment = thread; segment < num_segments(); segment += WG_SIZE) {
    atomicStore(&segments[segment], 0u);
  }
  workgroupBarrier();
  var best = -3.0e38;
  // As often for every thread: subgroups act together.
  for (var first = 0u; first < num_quads(); first += TOGETHER * WG_SIZE) {
#for i in TOGETHER
    let quad$i = first + $i * WG_SIZE + thread;
    let x$i = loaded(min(quad$i, num_quads() - 1u));
#endfor
#for i in TOGETHER
    best = max(best, note_segment(x$i, quad$i, thread));
#endfor
  }
  return lanes_max(best, thread);
}

// Scores of segments to levels, once `top` is known.
fn measure_segments(thread: u32) {
  workgroupBarrier();
  for (var segment = thread; segment < num_segments(); segment += WG_SIZE) {
    let distance = max(top - score_of_key(atomicLoad(&segments[segment])), 0.0);
    var level = LEFT_OUT;
    if (distance < reach) {
      level = level_of(vec4<f32>(distance * inverse_temperature)).x;
      level -= min(level, SLACK);
    }
    atomicStore(&segments[segment], level);
  }
  workgroupBarrier();
}

// No id of the quad's segment has a level up to `limit`.
fn is_beyond(quad: u32, limit: u32) -> bool {
  return atomicLoad(&segments[quad / SEGMENT_QUADS]) > limit;
}

// A level that at least `count` ids do not exceed: each of as many segments has one.
fn reached_by(count: u32, thread: u32) -> u32 {
  if (num_segments() < count) {
    return KEEP_ALL;
  }
  clear_bins(thread);
  for (var segment = thread; segment < num_segments(); segment += WG_SIZE) {
    tally(atomicLoad(&segments[segment]), 1u, 0u, 24u);
  }
  scan_bins(thread);
  let bin = find_bin(count, thread).bin;
  return select((bin + 1u) << 24u, KEEP_ALL, bin == 255u) + select(SLACK, 0u, bin == 255u);
}
