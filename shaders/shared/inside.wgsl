// Four elements of a row from k on, zero beyond K: what lies there is other data, NaN perhaps, and is replaced, not multiplied
// away. Needs: defines K, K_TAIL.

fn inside4(v: vec4<f32>, k: u32) -> vec4<f32> {
#if K_TAIL
  return select(vec4<f32>(), v, vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(K));
#else
  return v;
#endif
}
