// One W4 linear of decode_layers.wgsl: out[n] = residual[n] + residual_scale f(W norm(x) + bias)[n]
// Thread map: `lanes` threads share an output, and every lanes-th unit of 32 k is one's own. Outputs are dealt out to the
// workgroups in turn, so that all have nearly as many. A thread reads two streams: gated, the units of a gate row and of its
// partner; paired, those of two outputs; otherwise the first and the second half of one row. DEPTH units of each are on their
// way while one is multiplied, the first of them before x is there.
// Needs: weights, `#import exchange`, `floats8`, `packed`, `quads`, `integer_units`, `activation`, `reduce4`; DEPTH, WG_SIZE.

const NORMED = 1u;
const BIASED = 2u;
const GATED = 4u;
const ADDED = 8u;
const PAIRED = 16u;

#import resident_input

struct Linear {
  flags: u32,
  outputs: u32,
  // Units of a row, of a stream.
  units: u32,
  half: u32,
  lanes: u32,
  rounds: u32,
  // Units of each stream that a thread takes.
  steps: u32,
  // Fours of a row's codes, groups of a row, log2 of the units of a group.
  stride: u32,
  num_groups: u32,
  group_shift: u32,
  codes_at: u32,
  scales_at: u32,
  norm_at: u32,
  bias_at: u32,
  eps: f32,
  out_scale: f32,
  residual_scale: f32,
  x: Place,
  out: Place,
  residual: Place,
}

fn linear_of(words: PlanWords) -> Linear {
  let f = array<vec4<u32>, 3>(words[5], words[6], words[7]);
  return Linear(
    words[0].y, words[0].z, words[0].w,
    words[1].x, words[1].y, words[1].z, words[1].w,
    words[2].x, words[2].y, words[2].z, words[2].w,
    words[3].x, words[3].y, words[3].z,
    bitcast<f32>(words[3].w), bitcast<f32>(words[4].x), bitcast<f32>(words[4].y),
    Place(f[0].x, f[0].y, f[0].z, f[0].w), Place(f[1].x, f[1].y, f[1].z, f[1].w), Place(f[2].x, f[2].y, f[2].z, f[2].w));
}

#import resident_streams

fn lanes_total(value: vec2<f32>, lanes: u32, index: u32) -> vec2<f32> {
#if SUBGROUP_SIZE >= 32
  var total = value;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    total += subgroupShuffleXor(total, step);
  }
  return total;
#else
  pair_cell[index] = value;
  workgroupBarrier();
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    if (index % lanes < step) {
      pair_cell[index] += pair_cell[index + step];
    }
    workgroupBarrier();
  }
  let total = pair_cell[index - index % lanes];
  workgroupBarrier();
  return total;
#endif
}

#if SUBGROUP_SIZE < 32
var<workgroup> pair_cell: array<vec2<f32>, WG_SIZE>;
#endif

fn bias_of(p: Linear, n: u32) -> f32 {
  if ((p.flags & BIASED) == 0u) {
    return 0.0;
  }
  return bitcast<f32>(weight_word(p.bias_at + n));
}

fn residual_of(p: Linear, n: u32) -> u32 {
  if ((p.flags & ADDED) == 0u) {
    return 0u;
  }
  return atomicLoad(&scratch[word_at(p.residual, n)]);
}

fn finish(p: Linear, value: f32, n: u32, residual: u32) {
  var y = value * p.out_scale;
  if ((p.flags & ADDED) != 0u) {
    y = settled(residual, word_at(p.residual, n), p.residual.tag) + p.residual_scale * y;
  }
  give(word_at(p.out, n), y, p.out.tag);
}

// All threads call, in uniform control flow; workgroups without an output take nothing and give nothing.
fn linear(p: Linear, wg: u32, num_wg: u32, index: u32) {
  let lane = index % p.lanes;
  let group = index / p.lanes * num_wg + wg;
  let groups = WG_SIZE / p.lanes * num_wg;
  let paired = (p.flags & PAIRED) != 0u;
  let gated = (p.flags & GATED) != 0u;
  let stride = select(groups, 2u * groups, paired);
  var a = first_stream(p, group);
  var b = second_stream(p, group, groups);
#for d in DEPTH
  var a$d = piece(p, a, lane + $d * p.lanes);
  var b$d = piece(p, b, lane + $d * p.lanes);
#endfor
  let squares = stage_input(p, index);
  workgroupBarrier();
  var inverse = 1.0;
  if ((p.flags & NORMED) != 0u) {
    inverse = inverseSqrt(all_sum4(vec4<f32>(squares), index).x / f32(p.units * 32u) + p.eps);
  }
  for (var round = 0u; round < p.rounds; round++) {
    let n = group + round * stride;
    let other = select(n, n + groups, paired);
    // A thread finishes one of the two outputs, so that neither waits for the other.
    let own = select(n, other, lane == 1u);
    let writes = (lane == 0u || (paired && lane == 1u)) && own < p.outputs;
    var residual = 0u;
    var bias = vec2<f32>();
    if (writes) {
      residual = residual_of(p, own);
      bias.x = bias_of(p, own);
      if (gated) {
        bias.y = bias_of(p, p.outputs + own);
      }
    }
    let next_a = first_stream(p, n + stride);
    let next_b = second_stream(p, n + stride, groups);
    var y = vec2<f32>();
    for (var step = 0u; step < p.steps; step += DEPTH) {
#for d in DEPTH
      if (step + $d < p.steps) {
        y += both_rows(p, a$d, b$d, (step + $d) * p.lanes + lane);
        // Behind the last unit follow those of the next round.
        var next = step + $d + DEPTH;
        var from_a = a;
        var from_b = b;
        if (next >= p.steps) {
          next = $d;
          from_a = next_a;
          from_b = next_b;
        }
        a$d = piece(p, from_a, next * p.lanes + lane);
        b$d = piece(p, from_b, next * p.lanes + lane);
      }
#endfor
    }
    a = next_a;
    b = next_b;
    let sums = inverse * lanes_total(y, p.lanes, index);
    if (writes) {
      var value = sums.x + sums.y + bias.x;
      if (paired) {
        value = select(sums.x, sums.y, lane == 1u) + bias.x;
      }
      if (gated) {
        value = activation(sums.x + bias.x) * (sums.y + bias.y);
      }
      finish(p, value, own, residual);
    }
  }
}
