// Which rows of W a workgroup's tile of BN columns of the output takes, on matrix units. Gated: eight gate rows and their eight
// partners take turns. Needs: params.rows; defines BN, GATE.

// Row of W for row r of this workgroup's tile, bounded so that a surplus row reads something that exists.
fn weight_row(tile: u32, r: u32) -> u32 {
#if GATE > 0
  let half = params.rows / 2u;
  return min((tile * (BN / 16u) + r / 16u) * 8u + r % 8u, half - 1u) + select(0u, half, r % 16u >= 8u);
#else
  return min(tile * BN + r, params.rows - 1u);
#endif
}
