// FLOATS of integer_pieces.wgsl: rows of x as f32 [M, K], of which each workgroup makes the bytes that it takes, eight k from a thread.
// Needs: scratch, memory; the constants of gemm_integer.wgsl.

#import integer_groups

// Of eight k, from which both bytes come.
const X_OCTETS = WARPS_K * BM * GROUP_LANES;

// Surplus rows are the last one again, surplus octets some other.
fn load_octet(wg: vec3<u32>, first: u32, item: u32) -> Floats8 {
  let octet = item % X_OCTETS;
  let row = min(wg.x * BM + octet / GROUP_LANES % BM, params.num_rows - 1u);
  let k = (first + octet / (GROUP_LANES * BM)) * GK + octet % GROUP_LANES * 8u;
  let at = params.in_at + row * params.in_stride + k / 4u;
  return Floats8(scratch[at], scratch[at + 1u]);
}

// Bytes h of all rows, then bytes l, likewise for each of WARPS_K.
fn store_octet(x: IntegerOctet, item: u32) {
  if (X_OCTETS % WG_SIZE != 0u && item >= X_OCTETS) {
    return;
  }
  let pairs = bufferView<array<vec2<u32>, PIECES_WORDS / 2u>>(&memory, 0);
  let row = item / GROUP_LANES;
  let high = (row / BM * X_ROWS + row % BM) * (STRIDE / 2u) + item % GROUP_LANES;
  pairs[high] = x.bytes.xy;
  pairs[high + BM * (STRIDE / 2u)] = x.bytes.zw;
  if (item % GROUP_LANES == 0u) {
    let scales = bufferView<array<f32>>(&memory, SCALES_AT * 4u);
    scales[row] = x.scale.x;
    scales[SCALES + row] = x.scale.y;
  }
}
