// Reads a whole buffer once, as fast as the memory gives it: sum += sum_i words[i] (mod 2^32)
// data: u32 words in fours; sum: one u32.
// Thread map: a workgroup reads WG_SIZE * FOURS_A_THREAD consecutive fours; thread t the fours t, t + WG_SIZE, …, all loads of
// a thread independent of each other. One atomic a workgroup, so that adding up costs nothing beside the reading.

#params
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sum: array<atomic<u32>>;

var<workgroup> total: atomic<u32>;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let first = (wg.x + wg.y * GRID_WIDTH) * (WG_SIZE * FOURS_A_THREAD) + index;
  var fours = vec4<u32>(0u);
  for (var i = 0u; i < FOURS_A_THREAD; i++) {
    let at = first + i * WG_SIZE;
    if (at < params.num_fours) {
      fours += data[at];
    }
  }
  atomicAdd(&total, fours.x + fours.y + fours.z + fours.w);
  workgroupBarrier();
  if (index == 0u) {
    atomicAdd(&sum[0], atomicLoad(&total));
  }
}
