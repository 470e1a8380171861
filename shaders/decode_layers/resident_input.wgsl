// The input of a linear of decode_layers.wgsl on its way into workgroup memory, normed where it asks for that.
// Needs: weights, `#import exchange`, `floats8`, `integer_units`; Linear of resident_linear.wgsl; WG_SIZE.

fn gain_of(p: Linear, octet: u32) -> Floats8 {
  if ((p.flags & NORMED) == 0u) {
    return Floats8(vec4<f32>(1.0), vec4<f32>(1.0));
  }
  let at = p.norm_at + octet * 2u;
  return Floats8(bitcast<vec4<f32>>(weights[at]), bitcast<vec4<f32>>(weights[at + 1u]));
}

// Octets of x that a thread has on their way.
const FETCHED = 4u;

// All of x into `staged`; returns this thread's part of the sum of squares.
fn stage_input(p: Linear, index: u32) -> f32 {
  let octets = p.units * 4u;
  let first_gain = gain_of(p, min(index, octets - 1u));
  var squares = 0.0;
  for (var start = 0u; start < octets; start += FETCHED * WG_SIZE) {
    // Only the first element of each is asked for again and again, for the sake of those who still work.
#for d in 4
    let octet$d = min(start + $d * WG_SIZE + index, octets - 1u);
    let at$d = p.x.at + octet$d * p.x.octet;
    var first$d = 0u;
#endfor
    loop {
      var all = true;
#for d in 4
      if (start + $d * WG_SIZE < octets) {
        first$d = atomicLoad(&scratch[at$d]);
      }
#endfor
#for d in 4
      if (start + $d * WG_SIZE < octets) {
        all &= is_there(first$d, p.x.tag);
      }
#endfor
      if (all || polls == 0u) {
        break;
      }
      polls--;
    }
#for d in 4
    var rest$d = Rest();
    if (start + $d * WG_SIZE < octets) {
      rest$d = load_rest(p.x, at$d);
    }
#endfor
#for d in 4
    if (start + $d * WG_SIZE < octets) {
      let x = octet_of(p.x, at$d, first$d, rest$d);
      var gain = first_gain;
      if (start + $d * WG_SIZE > 0u) {
        gain = gain_of(p, octet$d);
      }
      let exists = start + $d * WG_SIZE + index < octets;
      squares += select(0.0, square(x), exists);
      stage_octet(octet$d / 4u, octet$d % 4u, exists, Floats8(x.a * gain.a, x.b * gain.b), index);
    }
#endfor
  }
  return squares;
}
