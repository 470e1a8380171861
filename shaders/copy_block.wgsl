// A block of the paged cache to the place of another one, in every layer of a KV slab.
// Thread map: thread (x, layer) copies four words.

#params
@group(0) @binding(2) var<storage, read_write> cache: array<vec4<u32>>;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
  if (thread.x < params.block_quads) {
    let at = thread.y * params.layer_quads + thread.x;
    cache[params.to_at + at] = cache[params.from_at + at];
  }
}
