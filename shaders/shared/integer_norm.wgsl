// The RMS norm of few rows that gemm_integer.wgsl takes: rsqrt(mean_k(x^2) + eps) of a row multiplies what is made of it in the end,
// so that nobody has to see a whole row before (shaders/sum_few_rows.wgsl). Held in workgroup memory, from word INVERSES_AT on.
// Needs: params.eps; the constants of gemm_integer.wgsl; `#import integer_pieces`, `integer_output`.

// Threads of a subgroup that share a row.
const NORM_LANES = 32u / BM;

// All threads call, in uniform control flow, and meet before anybody reads.
fn hold_inverses(wg: vec3<u32>, index: u32) {
  let num_fours = (num_rounds() + 3u) / 4u;
  let all_at = params.in_at + plane_rows() * (padded_k() / 8u) + plane_rows() / 2u * num_rounds();
  let at = all_at + (wg.x * BM + index % BM) * num_fours;
  var mean = 0.0;
  for (var four = index % 32u / BM; four < num_fours; four += NORM_LANES) {
    let groups = vec4<u32>(four * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    mean += dot(select(vec4<f32>(), scratch[at + four], groups < vec4<u32>(num_rounds())), vec4<f32>(1.0));
  }
  for (var step = u32(BM); step < 32u; step *= 2u) {
    mean += subgroupShuffleXor(mean, step);
  }
  if (index < BM) {
    let inverses = bufferView<array<f32>>(&memory, INVERSES_AT * 4u);
    inverses[index] = inverseSqrt(mean + params.eps);
  }
}

// Sums of the rows of a thread in matrix number `tile_m`, normed.
fn normed(y: Rows, tile_m: u32, index: u32) -> Rows {
  let fours = bufferView<array<vec4<f32>>>(&memory, INVERSES_AT * 4u);
  let at = (tile_m * 16u + first_row(index)) / 4u;
  var rows = Rows();
#for f in ROW_FOURS
  rows.f$f = y.f$f * fours[at + $f];
#endfor
  return rows;
}
