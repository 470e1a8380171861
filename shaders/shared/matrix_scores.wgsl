// What a workgroup of prefill_matrix.wgsl makes of a row's products: scores and probabilities.
// Needs: the constants of prefill_matrix.wgsl, and its workgroup memory; `#import prefill_span`.

const LEEWAY = 9.0;
// Far from a scale that a value could have; its logarithm is finite.
const LEAST_SCALE = 1.0e-12;

// Four products of a row (two, and two behind the next two).
fn products_at(cell: u32) -> vec4<f32> {
  let scores = bufferView<array<f32>>(&memory, SCORES_AT);
  return vec4<f32>(scores[cell], scores[cell + 1u], scores[cell + 4u], scores[cell + 5u]);
}

// Their scores: capped, hidden where the row does not look.
fn seen_scores(products: vec4<f32>, token: u32, position: u32) -> vec4<f32> {
  return select(vec4<f32>(HIDDEN), capped(products), visible(vec4<u32>(token) + vec4<u32>(0u, 1u, 4u, 5u), position));
}

fn probabilities(s: vec4<f32>, top: f32) -> vec4<f32> {
  return select(vec4<f32>(), exp(s - top), s > vec4<f32>(HIDDEN));
}
