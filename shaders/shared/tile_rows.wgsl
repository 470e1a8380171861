// Row of W for column c of this workgroup's tile, bounded so that a surplus column reads something that exists.
fn weight_row(tile: u32, c: u32) -> u32 {
#if GATE > 0
  let half = params.rows / 2u;
  return min(tile * (BN / 2u) + c % (BN / 2u), half - 1u) + select(0u, half, c >= BN / 2u);
#else
  return min(tile * BN + c, params.rows - 1u);
#endif
}
