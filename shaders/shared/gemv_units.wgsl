// Units of R weight rows on their way to a thread of gemv.wgsl: one 16-byte load of codes for each row, and its scale.
// Needs: weights, scale_at; params.codes_at, scales_at, rows; defines R, GATE, STRIDE, UNITS, UNIT_K, NUM_GROUPS, GROUP_SIZE.

// Named fields, because registers cannot be indexed; those beyond R stay zero and are never read.
struct Codes {
  r0: vec4<u32>,
  r1: vec4<u32>,
  r2: vec4<u32>,
  r3: vec4<u32>,
}

struct Scales {
  r0: Scale,
  r1: Scale,
  r2: Scale,
  r3: Scale,
}

struct Unit {
  codes: Codes,
  scales: Scales,
}

fn num_outputs() -> u32 {
#if GATE > 0
  return params.rows / 2u;
#else
  return params.rows;
#endif
}

// This thread's weight row number r, bounded so that a surplus thread reads something that exists.
fn weight_row(base: u32, r: u32) -> u32 {
#if GATE > 0
  return min(base + r % (R / 2u), num_outputs() - 1u) + (r / (R / 2u)) * num_outputs();
#else
  return min(base + r, num_outputs() - 1u);
#endif
}

fn set_rows(base: u32) -> vec4<u32> {
  return vec4<u32>(weight_row(base, 0u), weight_row(base, 1u), weight_row(base, 2u), weight_row(base, 3u));
}

fn load_unit(unit: u32, rows: vec4<u32>) -> Unit {
  return Unit(load_codes(unit, rows), load_scales(unit, rows));
}

fn load_codes(unit: u32, rows: vec4<u32>) -> Codes {
  let at = params.codes_at + min(unit, UNITS - 1u);
  var c = Codes();
  c.r0 = weights[at + rows.x * STRIDE];
#if R > 1
  c.r1 = weights[at + rows.y * STRIDE];
#endif
#if R > 2
  c.r2 = weights[at + rows.z * STRIDE];
  c.r3 = weights[at + rows.w * STRIDE];
#endif
  return c;
}

fn load_scales(unit: u32, rows: vec4<u32>) -> Scales {
  let at = params.scales_at + min(unit, UNITS - 1u) * UNIT_K / GROUP_SIZE;
  var s = Scales();
  s.r0 = scale_at(at + rows.x * NUM_GROUPS);
#if R > 1
  s.r1 = scale_at(at + rows.y * NUM_GROUPS);
#endif
#if R > 2
  s.r2 = scale_at(at + rows.z * NUM_GROUPS);
  s.r3 = scale_at(at + rows.w * NUM_GROUPS);
#endif
  return s;
}
