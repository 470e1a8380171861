// A histogram of 256 bins in workgroup memory, for workgroups of at least 256 threads. All functions but tally() are
// called by every thread, in uniform control flow; `thread` is local_invocation_index.

struct Found {
  bin: u32,
  before: u32,
  exact: bool,
}

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> shared_total: u32;
var<workgroup> shared_found: Found;

fn clear_bins(thread: u32) {
  if (thread < 256u) {
    atomicStore(&bins[thread], 0u);
    atomicStore(&counts[thread], 0u);
  }
  workgroupBarrier();
}

// bins becomes its own inclusive prefix sum; returns the total. Sixteen threads add up sixteen bins each, then every
// bin takes the totals of the groups before its own: few barriers, and short chains.
fn scan_bins(thread: u32) -> u32 {
  workgroupBarrier();
  if (thread < 16u) {
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) {
      sum += atomicLoad(&bins[thread * 16u + i]);
      atomicStore(&bins[thread * 16u + i], sum);
    }
  }
  workgroupBarrier();
  var before = 0u;
  if (thread < 256u) {
    for (var last = 15u; last < thread; last += 16u) {
      before += atomicLoad(&bins[last]);
    }
  }
  workgroupBarrier();
  if (thread < 256u) {
    atomicAdd(&bins[thread], before);
  }
  if (thread == 255u) {
    shared_total = atomicLoad(&bins[255]);
  }
  return workgroupUniformLoad(&shared_total);
}

// First bin whose prefix sum reaches `goal`, 1 <= goal <= total; exact: the limit cannot lie inside that bin.
fn find_bin(goal: u32, thread: u32) -> Found {
  if (thread < 256u) {
    let sum = atomicLoad(&bins[thread]);
    var before = 0u;
    if (thread > 0u) {
      before = atomicLoad(&bins[thread - 1u]);
    }
    if (before < goal && sum >= goal) {
      shared_found = Found(thread, before, sum == goal || atomicLoad(&counts[thread]) == 1u);
    }
  }
  return workgroupUniformLoad(&shared_found);
}

fn tally(level: u32, weight: u32, low: u32, shift: u32) {
  if (weight > 0u && level >= low && ((level - low) >> shift) < 256u) {
    atomicAdd(&bins[(level - low) >> shift], weight);
    atomicAdd(&counts[(level - low) >> shift], 1u);
  }
}
