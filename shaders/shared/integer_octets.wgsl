// Rows of activations as gemm_integer.wgsl takes them (shaders/integer_rows.wgsl), eight consecutive k from each thread; neighbouring
// threads have neighbouring octets, GK / 8 of them a group.
// Needs: scratch: array<vec4<f32>>; defines BITS, GK, GROUPS, K, PADDED_K.

#import integer_groups

const OCTETS = GROUPS * GK / 8u;
const PREPARED_STRIDE = PADDED_K / 16u;
// Whole vectors.
const SQUARES_STRIDE = (GROUPS + 3u) / 4u * 4u;

// Where prepared rows lie, in vec4, and how many rows there are and have room.
struct PreparedPlace {
  at: u32,
  num_rows: u32,
  plane_rows: u32,
}

// All threads call, in uniform control flow; rows and octets that there are not are left out.
fn put_octet(place: PreparedPlace, row: u32, octet: u32, x: Floats8) {
  let own = integer_octet(x);
  let mine = own.bytes;
  // Neighbours have two octets: one of them writes both h, the other both l.
  let is_low = octet % 2u == 1u;
  let given = subgroupShuffleXor(select(mine.zw, mine.xy, is_low), 1u);
  if (row >= place.num_rows || octet >= OCTETS) {
    return;
  }
  if (octet * 8u < PADDED_K) {
    let at = place.at + row * PREPARED_STRIDE + octet / 2u;
    if (is_low) {
      scratch[at + place.plane_rows * PREPARED_STRIDE] = bitcast<vec4<f32>>(vec4<u32>(given, mine.zw));
    } else {
      scratch[at] = bitcast<vec4<f32>>(vec4<u32>(mine.xy, given));
    }
  }
  if (octet % GROUP_LANES == 0u) {
    let group = octet / GROUP_LANES;
    put_scale(place, group * place.plane_rows + row, own.scale.x);
    put_scale(place, (GROUPS + group) * place.plane_rows + row, own.scale.y);
  }
}

// Of a group's columns what the norm needs, behind the scales, by rows: eight of them from each thread. All threads call, likewise.
fn put_squares(place: PreparedPlace, row: u32, octet: u32, squares: f32) {
  let sum = group_sum(squares);
  if (row < place.num_rows && octet < OCTETS && octet % GROUP_LANES == 0u) {
    put_scale(place, 2u * GROUPS * place.plane_rows + row * SQUARES_STRIDE + octet / GROUP_LANES, sum / f32(K));
  }
}

fn put_scale(place: PreparedPlace, i: u32, value: f32) {
  scratch[place.at + 2u * place.plane_rows * PREPARED_STRIDE + i / 4u][i % 4u] = value;
}
