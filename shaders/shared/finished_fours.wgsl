// Four neighbouring n of a row of sums that others have left, finished, zero from K on.
// Needs: `#import linear_epilogue`; defines K.

fn finished4(sum: vec4<f32>, residual: vec4<f32>, four: u32) -> vec4<f32> {
  var y = sum;
#for i in 4
  y[$i] = scaled(biased(y[$i], four * 4u + $i), residual[$i]);
#endfor
  return select(vec4<f32>(), y, four * 4u < K);
}
