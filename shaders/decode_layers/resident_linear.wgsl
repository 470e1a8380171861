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

struct Piece {
  codes: vec4<u32>,
  scale: Scale,
}

// Where the units of a stream begin in a row: fours of codes, words of scales, and the first of them.
struct Stream {
  codes_at: u32,
  scales_at: u32,
  first: u32,
}

fn stream_of(p: Linear, row: u32, first: u32) -> Stream {
  return Stream(p.codes_at + row * p.stride, p.scales_at + row * p.num_groups, first);
}

// Of the output `n` of a round, or the last one where there is none.
fn first_stream(p: Linear, n: u32) -> Stream {
  return stream_of(p, min(n, p.outputs - 1u), 0u);
}

fn second_stream(p: Linear, n: u32, groups: u32) -> Stream {
  if ((p.flags & GATED) != 0u) {
    return stream_of(p, p.outputs + min(n, p.outputs - 1u), 0u);
  }
  if ((p.flags & PAIRED) != 0u) {
    return stream_of(p, min(n + groups, p.outputs - 1u), 0u);
  }
  return stream_of(p, min(n, p.outputs - 1u), p.half);
}

// One unit of a stream; behind its end it counts nothing.
fn piece(p: Linear, stream: Stream, unit: u32) -> Piece {
  let at = stream.first + unit;
  let inside = min(at, p.units - 1u);
  var scale = scale_at(stream.scales_at + (inside >> p.group_shift));
  scale.s = select(0.0, scale.s, unit < p.half && at < p.units);
  return Piece(weights[stream.codes_at + inside], scale);
}

// Both streams times a unit of x each; where they share it, it is read once.
fn both_rows(p: Linear, a: Piece, b: Piece, unit: u32) -> vec2<f32> {
  let at = min(unit, p.units - 1u);
  if ((p.flags & (GATED | PAIRED)) == 0u) {
    return vec2<f32>(unit_row(a.codes, a.scale, at), unit_row(b.codes, b.scale, min(p.half + unit, p.units - 1u)));
  }
  var hl = vec2<i32>();
  var other = vec2<i32>();
#for i in 4
  let x$i = staged[at][$i];
  hl = dot8(a.codes[$i], x$i, hl);
  other = dot8(b.codes[$i], x$i, other);
#endfor
  let scales = bitcast<vec2<f32>>(staged[at][4].xy);
  return vec2<f32>(unit_total(a.scale, hl, scales), unit_total(b.scale, other, scales));
}

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
