// W4 weights times activations in 16-bit integers, with the integer dot product of four bytes, which does eight weights in a
// third of the instructions that floats take. A unit of 32 k has one scale: x ~ scale * q, |q| <= 32512, so the error is at
// most 2^-16 of the unit's largest |x|, far below the 2^-11 of f16.
//   q = 256 h + l, h and l signed bytes;  sum w x = s * scale * (256 sum u h + sum u l - z * sum q)
// A staged unit: for each word of codes (k .. k+7) the bytes (h of even k, h of odd k, l of even k, l of odd k), as codes
// leave their word in nibbles of even and of odd k; then (scale, scale * sum q). Its 80 bytes keep neighbouring units in
// different banks.
// Needs: `#import floats8`, `packed`, `quads`; defines STAGED_UNITS, WG_SIZE.

#import integer_bytes
#import integer_products

var<workgroup> staged: array<array<vec4<u32>, 5>, STAGED_UNITS>;

// Quantises octet `octet` of a unit, four neighbouring threads a unit. All threads call; those with `stores` write.
fn stage_octet(unit: u32, octet: u32, stores: bool, x: Floats8, index: u32) {
  let q = rounded(x, quad_max(largest(x), index));
  let sum = quad_sum(q.sum, index);
  if (stores) {
    staged[unit][octet] = even_odd_bytes(q);
    if (octet == 0u) {
      staged[unit][4] = vec4<u32>(bitcast<u32>(q.scale), bitcast<u32>(q.scale * sum), 0u, 0u);
    }
  }
}

// sum w x over a unit of one weight row and one row of activations.
fn unit_row(codes: vec4<u32>, s: Scale, at: u32) -> f32 {
  var hl = dot8(codes.x, staged[at][0], vec2<i32>());
  hl = dot8(codes.y, staged[at][1], hl);
  hl = dot8(codes.z, staged[at][2], hl);
  hl = dot8(codes.w, staged[at][3], hl);
  return unit_total(s, hl, bitcast<vec2<f32>>(staged[at][4].xy));
}
