// The W4 half of gemv: activations in 16-bit integers (shared/integer_units.wgsl), ROWS rows of them side by side.
// Needs: `#import activations`, `packed`, `quads`, `reduce_rows`; defines ROWS, K, NORM, TILE_UNITS, WG_SIZE.

const STAGED_UNITS = ROWS * TILE_UNITS;
#import integer_units

// Fills the tile that begins with unit `first`; returns this thread's part of the sums of squares. All threads call.
fn stage(first: u32, index: u32) -> Rows {
  var squares = Rows();
  for (var start = 0u; start < TILE_UNITS * 4u; start += WG_SIZE) {
    let i = start + index;
    let k = first * 32u + i * 8u;
    let stores = i < TILE_UNITS * 4u;
    for (var m = 0u; m < ROWS; m++) {
      var x = Floats8();
      if (stores && k < K) {
        x = load8(k, m);
#if NORM
#if ROWS == 1
        squares += square(x);
#else
        squares[m] += square(x);
#endif
        x = gained8(x, k);
#endif
      }
      stage_octet(m * TILE_UNITS + i / 4u, i % 4u, stores, x, index);
    }
  }
  return squares;
}

fn row_sums(codes: vec4<u32>, s: Scale, unit: u32) -> Rows {
#if ROWS == 1
  return unit_row(codes, s, unit);
#elif ROWS == 2
  return Rows(unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit));
#elif ROWS == 3
  return Rows(unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit), unit_row(codes, s, 2u * TILE_UNITS + unit));
#else
  return Rows(
    unit_row(codes, s, unit), unit_row(codes, s, TILE_UNITS + unit),
    unit_row(codes, s, 2u * TILE_UNITS + unit), unit_row(codes, s, 3u * TILE_UNITS + unit));
#endif
}
