// Rows of activations as gemm_integer.wgsl takes them (shaders/integer_rows.wgsl), eight consecutive k from each thread; neighbouring
// threads have neighbouring octets, GK / 8 of them a group.
// Needs: scratch: array<vec4<f32>>; params.prepared_at (in vec4), num_rows, plane_rows; defines BITS, GK, GROUPS, PADDED_K.

#import integer_groups

const OCTETS = GROUPS * GK / 8u;
const PREPARED_STRIDE = PADDED_K / 16u;

// All threads call, in uniform control flow; rows and octets that there are not are left out.
fn put_octet(row: u32, octet: u32, x: Floats8) {
  let own = integer_octet(x);
  let mine = own.bytes;
  // Neighbours have two octets: one of them writes both h, the other both l.
  let is_low = octet % 2u == 1u;
  let given = subgroupShuffleXor(select(mine.zw, mine.xy, is_low), 1u);
  if (row >= params.num_rows || octet >= OCTETS) {
    return;
  }
  if (octet * 8u < PADDED_K) {
    let at = params.prepared_at + row * PREPARED_STRIDE + octet / 2u;
    if (is_low) {
      scratch[at + params.plane_rows * PREPARED_STRIDE] = bitcast<vec4<f32>>(vec4<u32>(given, mine.zw));
    } else {
      scratch[at] = bitcast<vec4<f32>>(vec4<u32>(mine.xy, given));
    }
  }
  if (octet % GROUP_LANES == 0u) {
    let group = octet / GROUP_LANES;
    put_scale(group * params.plane_rows + row, own.scale.x);
    put_scale((GROUPS + group) * params.plane_rows + row, own.scale.y);
  }
}

fn put_scale(i: u32, value: f32) {
  scratch[params.prepared_at + 2u * params.plane_rows * PREPARED_STRIDE + i / 4u][i % 4u] = value;
}
