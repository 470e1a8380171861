// GEMV, one to four rows of activations: y[m, n] = sum_k W[n, k] * x[m, k]
//   NORM: x[m, k] stands for x * g[k] * rsqrt(mean_k(x^2) + eps); the squares are summed while x is staged
//   then bias, gate, scale, softcap and residual as in shared/linear_epilogue.wgsl
// W: packed w4 | w8 | w16 [N, K] in weights; x: f32 [ROWS, K] in scratch; out: f32 [ROWS, N] (gated: [ROWS, N / 2]).
// INTEGER: w4 in integers (shared/integer_dot.wgsl); otherwise in the arithmetic of the variant (shared/float_dot.wgsl).
// Thread map: LANES threads share a set of R weight rows and cut K between them. A thread's unit is one 16-byte load of each
// row: 32 | 16 | 8 consecutive k of w4 | w8 | w16, so that neighbours read neighbouring 16 bytes. A workgroup of WG_SIZE
// threads has WG_SIZE / LANES such sets at a time, which share the staged x; where all of x is staged at once, it goes on
// to the next sets with the same x. The next DEPTH units are on their way while one is multiplied, the first of them while
// x is staged. Gated: the first half of the R rows lie in [0, N / 2), the second half are their partners, N / 2 further on.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const UNIT_K = 128u / BITS;
#import packed
#import reduce_rows
#import activations
#if INTEGER
#import quads
#import integer_dot
#else
#import dequant
#import float_dot
#endif
#import gemv_units
#import linear_epilogue

// Named fields, because registers cannot be indexed; those beyond R stay zero and are never read.
struct Sums {
  r0: Rows,
  r1: Rows,
  r2: Rows,
  r3: Rows,
}

// The products of one unit; `unit` counts from the start of the staged tile.
fn unit_sums(unit: u32, loaded: Unit) -> Sums {
  var sums = Sums();
  sums.r0 = row_sums(loaded.codes.r0, loaded.scales.r0, unit);
#if R > 1
  sums.r1 = row_sums(loaded.codes.r1, loaded.scales.r1, unit);
#endif
#if R > 2
  sums.r2 = row_sums(loaded.codes.r2, loaded.scales.r2, unit);
  sums.r3 = row_sums(loaded.codes.r3, loaded.scales.r3, unit);
#endif
  return sums;
}

fn added(y: Sums, part: Sums) -> Sums {
  return Sums(y.r0 + part.r0, y.r1 + part.r1, y.r2 + part.r2, y.r3 + part.r3);
}

fn output(y: Sums, r: u32, m: u32) -> f32 {
  var rows = y.r0;
#if R > 1
  rows = select(rows, y.r1, r == 1u);
#endif
#if R > 2
  rows = select(select(rows, y.r2, r == 2u), y.r3, r == 3u);
#endif
#if ROWS == 1
  return rows;
#else
  return rows[m];
#endif
}

// First output of this thread's rows in the workgroup's sets number `sets`.
fn first_output(sets: u32, index: u32) -> u32 {
  return (sets * (WG_SIZE / LANES) + index / LANES) * OUTPUTS;
}

// The outputs go to different lanes: one lane would wait for each residual in turn.
fn write(y: Sums, base: u32, lane: u32) {
  for (var i = lane; i < OUTPUTS * ROWS; i += LANES) {
    let r = i / ROWS;
    let m = i % ROWS;
    if (base + r < num_outputs()) {
#if GATE > 0
      finish_gated(output(y, r, m), output(y, r + OUTPUTS, m), base + r, m);
#else
      finish(output(y, r, m), base + r, m);
#endif
    }
  }
}

// What the norm multiplies each row of x by; without one, 1.
fn inverse_norms(squares: Rows, index: u32) -> Rows {
#if NORM
  return inverseSqrt(rows_total(squares, index) / f32(K) + params.eps);
#else
  return Rows(1.0);
#endif
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = index % LANES;
  const SETS_OUTPUTS = OUTPUTS * (WG_SIZE / LANES);
  let num_sets = (num_outputs() + SETS_OUTPUTS - 1u) / SETS_OUTPUTS;
  let first_sets = wg.x + wg.y * grid.x;
  var rows = set_rows(first_output(first_sets, index));
  var u0 = load_unit(lane, rows);
#if DEPTH > 1
  var u1 = load_unit(LANES + lane, rows);
#endif
  var squares = Rows();
#if ONE_TILE
  squares = stage(0u, index);
  workgroupBarrier();
  let inverse = inverse_norms(squares, index);
#endif
  for (var sets = first_sets; sets < num_sets; sets += grid.x * grid.y) {
    let base = first_output(sets, index);
    let next_rows = set_rows(first_output(sets + grid.x * grid.y, index));
    var y = Sums();
    for (var first = 0u; first < UNITS; first += TILE_UNITS) {
#if !ONE_TILE
      workgroupBarrier();
      squares += stage(first, index);
      workgroupBarrier();
#endif
      // Whole rounds of DEPTH units; beyond the last unit of the last tile x is zero.
      for (var round = 0u; round < min(TILE_UNITS, UNITS - first); round += DEPTH * LANES) {
        let i = round + lane;
        var next = first + i + DEPTH * LANES;
        // With the last round the loads pass on to the next sets.
        if (first + round + DEPTH * LANES >= UNITS) {
          next = lane;
          rows = next_rows;
        }
        y = added(y, unit_sums(i, u0));
        u0 = load_unit(next, rows);
#if DEPTH > 1
        y = added(y, unit_sums(i + LANES, u1));
        u1 = load_unit(next + LANES, rows);
#endif
      }
    }
#if !ONE_TILE
    let inverse = inverse_norms(squares, index);
#endif
    y.r0 = inverse * rows_sum(y.r0, index);
#if R > 1
    y.r1 = inverse * rows_sum(y.r1, index);
#endif
#if R > 2
    y.r2 = inverse * rows_sum(y.r2, index);
    y.r3 = inverse * rows_sum(y.r3, index);
#endif
    write(y, base, lane);
  }
}
