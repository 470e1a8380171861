// What a thread of a linear of decode_layers.wgsl reads of its weights, two streams of units, and their products.
// Needs: weights, `#import packed`, `integer_units`; Linear and the flags of resident_linear.wgsl.

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
