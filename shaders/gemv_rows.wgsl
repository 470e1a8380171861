// W4 GEMV for several rows of activations, in integers (shared/integer_units.wgsl): y[m, n] = sum_k W[n, k] * x[m, k]
//   then bias, gate, scale, softcap and residual as in shared/linear_epilogue.wgsl
// W: packed w4 [N, K] in weights; x: staged units [num_rows, UNITS] in scratch (stage_rows.wgsl);
// out: f32 [num_rows, N] (gated: [num_rows, N / 2]).
// Thread map: LANES threads share a set of R weight rows and cut K between them, a unit (16 bytes of codes of each row) at a time,
// so that neighbours read neighbouring 16 bytes. Codes are taken apart once for ROWS rows of x. A workgroup of WG_SIZE threads
// has SETS = WG_SIZE / LANES such sets, which share x: it passes through workgroup memory in chunks of CHUNK units of all its
// rows, the next chunk on its way in registers while one is multiplied, as are the next DEPTH units of codes. More rows than ROWS
// are parts of a launch: workgroups next to each other read the same weights.
// Gated: the first half of the R weight rows lie in [0, N / 2), the second half are their partners, N / 2 further on.

#params
@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
const UNIT_K = 32u;
const SETS = WG_SIZE / LANES;
#import packed
#import integer_products
#import gemv_units
#import linear_epilogue

// By row, so that what neighbours read, the same of units 80 bytes apart, lies in different banks.
var<workgroup> x_units: array<array<array<vec4<u32>, 5>, CHUNK>, ROWS>;
// What PARTS subgroups (or threads) of each set have summed.
const PARTS = LANES / WIDTH;
const SUMS = ROWS * R * SETS;
var<workgroup> sums: array<f32, SUMS * PARTS>;

const ROW_VECTORS = CHUNK * 5u;
const CHUNK_VECTORS = ROWS * ROW_VECTORS;

// Vector number i of the chunk that begins with unit `first`, zero beyond K. `part`: first of this workgroup's rows of x; surplus
// ones repeat the last row.
fn load_vector(i: u32, first: u32, part: u32) -> vec4<u32> {
  let at = first * 5u + i % ROW_VECTORS;
  let m = min(part + i / ROW_VECTORS, params.num_rows - 1u);
  let loaded = bitcast<vec4<u32>>(scratch[params.in_at + m * params.in_stride + min(at, UNITS * 5u - 1u)]);
  return select(vec4<u32>(), loaded, at < UNITS * 5u);
}

fn store_vector(i: u32, vector: vec4<u32>) {
  if (CHUNK_VECTORS % WG_SIZE == 0u || i < CHUNK_VECTORS) {
    x_units[i / ROW_VECTORS][i % ROW_VECTORS / 5u][i % 5u] = vector;
  }
}

// Codes of a unit as bytes: those of even k and those of odd k of each word.
struct Bytes {
  even: vec4<u32>,
  odd: vec4<u32>,
}

fn taken_apart(codes: vec4<u32>) -> Bytes {
  let mask = vec4<u32>(0x0f0f0f0fu);
  return Bytes(codes & mask, (codes >> vec4<u32>(4u)) & mask);
}

// Over WIDTH neighbouring threads.
fn width_sum(value: f32) -> f32 {
  var total = value;
#if WIDTH > 1
  for (var step = WIDTH / 2u; step > 0u; step /= 2u) {
    total += subgroupShuffleXor(total, step);
  }
#endif
  return total;
}

fn set_sum(number: u32, m: u32, r: u32) -> f32 {
  let first = ((m * R + r) * SETS + number) * PARTS;
  var total = sums[first];
  for (var i = 1u; i < PARTS; i++) {
    total += sums[first + i];
  }
  return total;
}

// The outputs of a workgroup, neighbouring threads to neighbouring outputs.
fn write(base: u32, part: u32, index: u32) {
  for (var i = index; i < SETS * OUTPUTS * ROWS; i += WG_SIZE) {
    let o = i % (SETS * OUTPUTS);
    let m = i / (SETS * OUTPUTS);
    if (base + o < num_outputs() && part + m < params.num_rows) {
      let y = set_sum(o / OUTPUTS, m, o % OUTPUTS);
#if GATE > 0
      finish_gated(y, set_sum(o / OUTPUTS, m, o % OUTPUTS + OUTPUTS), base + o, part + m);
#else
      finish(y, base + o, part + m);
#endif
    }
  }
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let lane = index % LANES;
  let number = wg.x + wg.y * grid.x;
  let num_parts = (params.num_rows + ROWS - 1u) / ROWS;
  let part = number % num_parts * ROWS;
  let base = number / num_parts * SETS * OUTPUTS;
  let rows = set_rows(base + index / LANES * OUTPUTS);
#for i in ITEMS
  var x_next$i = load_vector($i * WG_SIZE + index, 0u, part);
#endfor
#for d in DEPTH
  var next$d = load_unit($d * LANES + lane, rows);
#endfor
#for m in ROWS
#for r in R
  var y$m$r = 0.0;
#endfor
#endfor
  for (var first = 0u; first < UNITS; first += CHUNK) {
    workgroupBarrier();
#for i in ITEMS
    store_vector($i * WG_SIZE + index, x_next$i);
#endfor
    workgroupBarrier();
    if (first + CHUNK < UNITS) {
#for i in ITEMS
      x_next$i = load_vector($i * WG_SIZE + index, first + CHUNK, part);
#endfor
    }
    // Whole rounds of DEPTH units; beyond the last unit x is zero.
    for (var round = 0u; round < min(CHUNK, UNITS - first); round += DEPTH * LANES) {
#for d in DEPTH
      {
        let unit = round + $d * LANES + lane;
#for r in R
        let w$r = taken_apart(next$d.codes.r$r);
        let s$r = next$d.scales.r$r;
#endfor
        next$d = load_unit(first + unit + DEPTH * LANES, rows);
#for m in ROWS
        {
#for k in 5
          let x$k = x_units[$m][unit][$k];
#endfor
          let scales = bitcast<vec2<f32>>(x4.xy);
#for r in R
          {
            var hl = dot_bytes(w$r.even.x, w$r.odd.x, x0, vec2<i32>());
            hl = dot_bytes(w$r.even.y, w$r.odd.y, x1, hl);
            hl = dot_bytes(w$r.even.z, w$r.odd.z, x2, hl);
            hl = dot_bytes(w$r.even.w, w$r.odd.w, x3, hl);
            y$m$r += unit_total(s$r, hl, scales);
          }
#endfor
        }
#endfor
      }
#endfor
    }
  }
#for m in ROWS
#for r in R
  {
    let total = width_sum(y$m$r);
    if (lane % WIDTH == 0u) {
      sums[(($m * R + $r) * SETS + index / LANES) * PARTS + lane / WIDTH] = total;
    }
  }
#endfor
#endfor
  workgroupBarrier();
  write(base, part, index);
}
