// prefill_attention.wgsl on subgroup matrices, f16 in and f32 accumulated; same operands and results, no terms of K's bias.
// Matrices cannot be scaled row by row: p = exp(score - top), where the top of a row is the largest score of its first tile, and
// only when a later score is LEEWAY above it, all sums pass through workgroup memory to be scaled down. (Lazy rescaling:
// Tri Dao et al., FlashAttention-4.) p stays below e^LEEWAY, far from the largest half.
// Of 8 and 4 bits, matrices hold centred codes, which are exact: score = k_scale (q . codes) + k_offset sum q, and the result is
// sum (p v_scale) codes + sum p v_offset. There p v_scale takes the place of p: so the top is that of score + ln v_scale.
// Thread map: workgroup (x, y, z) takes, of split z of the tokens, 64 query rows of kv head y of one prompt (chunk_part.wgsl), a query row
// being (row of the prompt, head of the kv head), heads fastest: 16 for each of four subgroups, whose lane pairs share a row
// outside the products. Tiles of TOKENS tokens, as many as a subgroup has lanes; K and V pass through workgroup memory, eight dims a piece.
// Matrices are loaded at constant places of views of constant size, as in gemm_matrix.wgsl.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import kv
#import chunk_part
#import prefill_span
#import prefill_output

const QUERIES = 64u;
const OCTETS = HEAD_DIM / 8u;
const OCTET_WORDS = KV_BITS / 4u;
// In halves; an odd number of octets, so that rows lie in different banks.
const ROW_PITCH = OCTETS * 8u + 8u;
// In floats. Probabilities take the place of the scores of their row.
const S_PITCH = TOKENS + 4u;
const P_PITCH = 2u * S_PITCH;
// Of the dims that are written at a time.
const OUT_DIMS = HEAD_DIM / OUT_PARTS;
const OUT_PITCH = OUT_DIMS + 4u;
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;
alias QueryRows = array<f16, 15u * ROW_PITCH + HEAD_DIM>;
alias TokenRows = array<f16, (TOKENS - 1u) * ROW_PITCH + HEAD_DIM>;
alias PRows = array<f16, 15u * P_PITCH + TOKENS>;
alias ScoreRows = array<f32, 15u * S_PITCH + TOKENS>;
alias OutRows = array<f32, 15u * OUT_PITCH + OUT_DIMS>;

// All workgroup memory is one buffer: Chrome 156 on NVIDIA lays plain workgroup variables over buffers. Places are in bytes.
// There is little of it, so that several workgroups share a processor, which has less than 64 KiB: queries at first, then scores in
// the place of K, and V; at last the results, over everything.
const KEYS_AT = 0u;
const SCORES_AT = KEYS_AT;
const VALUES_AT = max(TOKENS * ROW_PITCH * 2u, QUERIES * S_PITCH * 4u);
// Whether rows of each subgroup outgrew their top.
const OUTGROWN_AT = max(VALUES_AT + TOKENS * ROW_PITCH * 2u, QUERIES * ROW_PITCH * 2u);
var<workgroup> memory: buffer<max(OUTGROWN_AT + 16u, QUERIES * OUT_PITCH * 4u)>;

#import matrix_scores
#import matrix_rows

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let warp_row = index / 32u * 16u;
  let query_rows = bufferView<QueryRows>(&memory, KEYS_AT + warp_row * ROW_PITCH * 2u);
  let keys = bufferView<TokenRows>(&memory, KEYS_AT);
  let values = bufferView<TokenRows>(&memory, VALUES_AT);
  let score_rows = bufferView<ScoreRows>(&memory, SCORES_AT + warp_row * S_PITCH * 4u);
  let p_rows = bufferView<PRows>(&memory, SCORES_AT + warp_row * P_PITCH * 2u);
  let scores = bufferView<array<f32>>(&memory, SCORES_AT);
  let p_words = bufferView<array<u32>>(&memory, SCORES_AT);
  let outgrown = bufferView<array<vec4<u32>, 1>>(&memory, OUTGROWN_AT);
  let part_words = bufferView<array<vec4<u32>, 2>>(&memory, 0u);
  if (index == 0u) {
    let found = find_part(wg.x, QUERIES);
    part_words[0] = vec4<u32>(found.slot, found.start_position, found.num_rows, found.first_row);
    part_words[1] = vec4<u32>(found.last_row, found.first_query, 0u, 0u);
  }
  let place = workgroupUniformLoad(&part_words[0]);
  let rest = workgroupUniformLoad(&part_words[1]);
  let part = Part(place.x, place.y, place.z, place.w, rest.x, rest.y);
  let span = span_of(part, QUERIES, wg.z);
  // This thread's row outside the products; of its scores it takes every other two, for the sake of banks.
  let row = index / 2u;
  let side = index % 2u;
  let lane = index % 32u;
  let query = part.first_query + row;
  let position = part.start_position + query / RATIO;
  let scores_at = row * S_PITCH + side * 2u;
  let p_at = row * S_PITCH + side;
#for i in QUERY_ITEMS
  let x$i = query_octet(part, wg.y, index + $i * 128u);
#endfor
#for i in ITEMS
  var cached$i = load_cached(part, span, wg.y, span.first_tile, index + $i * 128u);
#endfor
#if KV_BITS < 16
  var next_folds = load_folds(part, span, wg.y, span.first_tile + lane);
#endif
#for i in QUERY_ITEMS
  put_octet(KEYS_AT, index + $i * 128u, x$i);
#endfor
  workgroupBarrier();
#for d in DIM_TILES
  let q$d = subgroupMatrixLoad<Left, row_major>(query_rows, $d * 16u, ROW_PITCH);
#endfor
#if KV_BITS < 16
  let q_words = bufferView<array<u32>>(&memory, KEYS_AT);
  var q_sum = 0.0;
  for (var i = side; i < HEAD_DIM / 2u; i += 2u) {
    q_sum += dot(unpack2x16float(q_words[row * (ROW_PITCH / 2u) + i]), vec2<f32>(1.0));
  }
  q_sum += subgroupShuffleXor(q_sum, 1u);
#endif
#for h in OUT_PARTS
#for d in PART_TILES
  var o$h$d = Sum();
#endfor
#endfor
  var top = HIDDEN;
  var total = 0.0;
  // sum p v_offset
  var shift = 0.0;
  for (var first = span.first_tile; first < span.end; first += TOKENS) {
    workgroupBarrier();
#for i in ITEMS
    store_cached(cached$i, index + $i * 128u);
#endfor
    workgroupBarrier();
    // on their way while this tile is computed
#for i in ITEMS
    cached$i = load_cached(part, span, wg.y, first + TOKENS, index + $i * 128u);
#endfor
#if KV_BITS < 16
    let folds = next_folds;
    next_folds = load_folds(part, span, wg.y, first + TOKENS + lane);
#endif
#for t in TOKEN_TILES
    var m$t = Sum();
#for d in DIM_TILES
    m$t = subgroupMatrixMultiplyAccumulate(q$d, subgroupMatrixLoad<Right, col_major>(keys, $t * 16u * ROW_PITCH + $d * 16u, ROW_PITCH), m$t);
#endfor
#endfor
    workgroupBarrier();
#for t in TOKEN_TILES
    subgroupMatrixStore<row_major>(score_rows, $t * 16u, m$t, S_PITCH);
#endfor
    workgroupBarrier();
    var most = vec4<f32>(HIDDEN);
#for i in SCORE_QUADS
#if KV_BITS < 16
    let k$i = folds_of(folds.x, $i * 8u + side * 2u);
    let v$i = folds_of(folds.y, $i * 8u + side * 2u);
    let products$i = products_at(scores_at + $i * 8u) * k$i.scale + q_sum * k$i.offset;
    let s$i = seen_scores(products$i, first + $i * 8u + side * 2u, position);
    most = max(most, s$i + log(max(v$i.scale, vec4<f32>(LEAST_SCALE))));
#else
    let s$i = seen_scores(products_at(scores_at + $i * 8u), first + $i * 8u + side * 2u, position);
    most = max(most, s$i);
#endif
#endfor
    var largest = max(max(most.x, most.y), max(most.z, most.w));
    largest = max(largest, subgroupShuffleXor(largest, 1u));
    let grown = select(top, max(top, largest), largest > top + LEEWAY || first == span.first_tile);
    let outgrew = subgroupAny(grown > top);
    if (lane == 0u) {
      outgrown[0][index / 32u] = u32(outgrew);
    }
    let fall = exp(top - grown);
    top = grown;
    let grew = workgroupUniformLoad(&outgrown[0]);
    if (first > span.first_tile && any(grew != vec4<u32>())) {
#for h in OUT_PARTS
#for d in PART_TILES
      subgroupMatrixStore<row_major>(score_rows, $d % 2u * 16u, o$h$d, S_PITCH);
      workgroupBarrier();
      for (var i = side; i < 16u; i += 2u) {
        scores[row * S_PITCH + $d % 2u * 16u + i] *= fall;
      }
      workgroupBarrier();
      o$h$d = subgroupMatrixLoad<Sum, row_major>(score_rows, $d % 2u * 16u, S_PITCH);
#endfor
#endfor
      workgroupBarrier();
    }
    var sum = vec4<f32>();
#if KV_BITS < 16
    var shifts = vec4<f32>();
#endif
#for i in SCORE_QUADS
    let p$i = probabilities(s$i, top);
    sum += p$i;
#if KV_BITS < 16
    shifts += p$i * v$i.offset;
    let weights$i = p$i * v$i.scale;
#else
    let weights$i = p$i;
#endif
    p_words[p_at + $i * 4u] = pack2x16float(weights$i.xy);
    p_words[p_at + $i * 4u + 2u] = pack2x16float(weights$i.zw);
#endfor
    total = total * fall + dot(sum, vec4<f32>(1.0));
#if KV_BITS < 16
    shift = shift * fall + dot(shifts, vec4<f32>(1.0));
#endif
    workgroupBarrier();
#for t in TOKEN_TILES
    {
      let p = subgroupMatrixLoad<Left, row_major>(p_rows, $t * 16u, P_PITCH);
#for h in OUT_PARTS
#for d in PART_TILES
      o$h$d = subgroupMatrixMultiplyAccumulate(p, subgroupMatrixLoad<Right, row_major>(values, $t * 16u * ROW_PITCH + $h * OUT_DIMS + $d * 16u, ROW_PITCH), o$h$d);
#endfor
#endfor
    }
#endfor
  }
  total += subgroupShuffleXor(total, 1u);
  shift += subgroupShuffleXor(shift, 1u);
  let out_rows = bufferView<OutRows>(&memory, warp_row * OUT_PITCH * 4u);
  let outs = bufferView<array<f32>>(&memory, 0u);
#for h in OUT_PARTS
  workgroupBarrier();
#for d in PART_TILES
  subgroupMatrixStore<row_major>(out_rows, $d * 16u, o$h$d, OUT_PITCH);
#endfor
  workgroupBarrier();
  for (var i = side; i < OUT_DIMS / 4u; i += 2u) {
    let d = (i * OUT_PARTS + $h) * 4u;
    let at = row * OUT_PITCH + dim_place(d) - $h * OUT_DIMS;
    let value = vec4<f32>(outs[at], outs[at + OCTETS], outs[at + 2u * OCTETS], outs[at + 3u * OCTETS]);
    put(part, query, wg, d, value + shift, top, total);
  }
#endfor
}
