// How prefill attention finishes four dims of a query row: divided, or where SPLIT as a partial for attention_merge.wgsl.
// Needs: scratch: array<vec4<f32>>; params.out_at, num_splits; `#import chunk_part`; defines HEADS, HEAD_DIM, RATIO, SPLIT.

fn put(part: Part, query: u32, wg: vec3<u32>, d: u32, value: vec4<f32>, top: f32, total: f32) {
  let row = step_row(part, query / RATIO);
  let head = wg.y * RATIO + query % RATIO;
  if (query / RATIO < part.num_rows && d < HEAD_DIM) {
#if SPLIT
    let at = params.out_at + ((row * HEADS + head) * params.num_splits + wg.z) * (HEAD_DIM + 4u);
    if (d == 0u) {
      scratch[at / 4u] = vec4<f32>(top, total, 0.0, 0.0);
    }
    scratch[(at + 4u + d) / 4u] = value;
#else
    scratch[(params.out_at + (row * HEADS + head) * HEAD_DIM + d) / 4u] = value / total;
#endif
  }
}
