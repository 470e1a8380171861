// Causal attention of a prefill chunk over the paged cache; the chunk's own tokens are already in it, so that every
// row sees the same (round-tripped) keys and values that decode will see.
//   out[r, h, d] = sum_t p v^[t, d] / sum_t p,  p = exp(score - max),  score = softcap(sum_d q[r, h, d] k^[t, d] + terms)
//   terms: of K's bias where it is kept out of the cache (shared/key_bias.wgsl)
//   over t in (position - window, position];  k^ and v^ enter as codes: scales and offsets are folded into score and p
// q: f32 [rows][q_stride] (already scaled), out: f32 [rows][HEADS][HEAD_DIM], or where SPLIT partials
// [rows][HEADS][num_splits][HEAD_DIM + 4] = (max, sum of p, unused, unused, sum_t p v^) for attention_merge.wgsl.
// Thread map: workgroup (x, y, z) takes, of split z of the tokens, TILE_ROWS query rows of kv head y of one prompt (chunk_part.wgsl), a
// query row being (row of the prompt, head of the kv head), heads fastest. For scores, which come in tiles of 32 tokens, thread (ty, tx) of
// 16 x 8 owns rows ty, ty + 16 .. with tokens 4 tx .. 4 tx + 3; for out, thread (out_y, out_x) of 8 x 16 owns rows out_y, out_y + 8 ..
// with dims 4 out_x .. + 3 of every 64. Neighbours in the lowest bit of the index have different rows and the same tokens
// or dims, in the next bit the other way round: so a half of a subgroup reads each operand in one go.
// All that a thread sums up has names, because registers cannot be indexed; and what the next slice needs is on its way from
// memory, in registers, while one is computed. Indices are of terms whose range a compiler can see, so that it need not clamp them.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import kv
#import chunk_part
#import prefill_span
#import prefill_rows
#import prefill_output
#import prefill_tiles
#import prefill_scores
#if BIAS_PAIRS > 0
#import prefill_bias
#endif

var<workgroup> shared_part: Part;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let ty = index % 2u + index / 4u % 2u * 2u + index / 32u * 4u;
  let tx = index / 2u % 2u + index / 8u % 4u * 2u;
  let out_y = index % 2u + index / 4u % 2u * 2u + index / 16u % 2u * 4u;
  let out_x = index / 2u % 2u + index / 8u % 2u * 2u + index / 32u * 4u;
  // Queries and keys are loaded by rows `line`, `line + 16` .. and four dims `column` of a slice.
  let line = index / 8u;
  let column = index % 8u;
  if (index == 0u) {
    shared_part = find_part(wg.x, TILE_ROWS);
  }
  let part = workgroupUniformLoad(&shared_part);
  own = part;
  let span = span_of(part, TILE_ROWS, wg.z);
#for r in SCORE_ROWS
  let position$r = query_position(ty + 16u * $r);
#endfor
  let places = query_places(wg.y, index);
  var q = Queries();
  var words = Words();
  if (span.first_tile < span.end && index < BLOCKS) {
    tile_blocks[index] = block_at(span, span.first_tile + index * BLOCK_TOKENS);
  }
  workgroupBarrier();
  if (span.first_tile < span.end) {
    q = queries_of(places, 0u, column);
    words = key_words(span, wg.y, span.first_tile, 0u, index);
  }
  var sums = Rows();
  var top = Rows(HIDDEN);
  var total = Rows();
  var shift = Rows();
#for j in OUT_QUADS
#for r in OUT_ROWS
  var o$j$r = vec4<f32>();
#endfor
#endfor
  for (var first = span.first_tile; first < span.end; first += TOKENS) {
    var next_block = 0u;
    if (index < BLOCKS) {
      next_block = block_at(span, first + TOKENS + index * BLOCK_TOKENS);
    }
#if KV_BITS < 16
    if (index < 2u * TOKENS) {
      folds[index] = fold(words.fold);
    }
#endif
#for r in SCORE_ROWS
    var s$r = vec4<f32>();
#endfor
    for (var slice = 0u; slice < SLICES; slice++) {
#for r in SCORE_ROWS
      row_tile[(line + 16u * $r) * PITCH + column] = real_cell(real4(q.r$r));
#endfor
      // K rows stand as 0, 4, 8 .. 28, 1, 5 ..: a thread's tokens lie eight rows apart, its neighbour's in the next row.
#for i in 2
      kv_tile[(line % 4u * 8u + line / 4u + 4u * $i) * PITCH + column] = real_cell(quad(words.i$i, 0u));
#endfor
      workgroupBarrier();
      if (slice + 1u < SLICES) {
        q = queries_of(places, slice + 1u, column);
        words = key_words(span, wg.y, first, slice + 1u, index);
      } else {
        words = value_words(span, wg.y, first, 0u, index);
      }
#if KV_BITS < 16
      if (first == span.first_tile) {
#for r in SCORE_ROWS
        sums[$r] += dot(vec4<f32>(reals(row_tile[(ty + 16u * $r) * PITCH + tx])), vec4<f32>(1.0));
#endfor
      }
#endif
      for (var d4 = 0u; d4 < 8u; d4++) {
#for c in 4
        let k$c = reals(kv_tile[(tx + 8u * $c) * PITCH + d4]);
#endfor
#for r in SCORE_ROWS
        s$r = scores(reals(row_tile[(ty + 16u * $r) * PITCH + d4]), k0, k1, k2, k3, s$r);
#endfor
      }
      workgroupBarrier();
    }
#if KV_BITS < 16
    if (first == span.first_tile) {
      sums = rows_sum(sums, ty, tx);
    }
    let k_fold = folds_of(4u * tx);
    let v_fold = folds_of(TOKENS + 4u * tx);
#for r in SCORE_ROWS
    s$r = s$r * k_fold.scale + sums[$r] * k_fold.offset;
#endfor
#endif
#if BIAS_PAIRS > 0
    for (var slice = 0u; slice < BIAS_SLICES; slice++) {
      load_bias(wg.y, slice, span, first, index);
      workgroupBarrier();
#for r in SCORE_ROWS
      s$r += bias_terms(ty + 16u * $r, tx);
#endfor
      workgroupBarrier();
    }
#endif
    var most = Rows();
#for r in SCORE_ROWS
    let seen$r = visible(vec4<u32>(first + 4u * tx) + vec4<u32>(0u, 1u, 2u, 3u), position$r);
    s$r = select(vec4<f32>(HIDDEN), capped(s$r), seen$r);
    most[$r] = largest(s$r);
#endfor
    let new_top = max(top, rows_max(most, ty, tx));
    let fall = exp(top - new_top);
    top = new_top;
    total *= fall;
    shift *= fall;
#for r in SCORE_ROWS
    let p$r = probabilities(s$r, top[$r], seen$r);
    total[$r] += dot(p$r, vec4<f32>(1.0));
#if KV_BITS < 16
    shift[$r] += dot(p$r, v_fold.offset);
    row_tile[(ty + 16u * $r) * PITCH + tx] = cell(p$r * v_fold.scale);
#else
    row_tile[(ty + 16u * $r) * PITCH + tx] = cell(p$r);
#endif
    if (tx == 0u) {
      falls[ty + 16u * $r] = fall[$r];
    }
#endfor
    for (var piece = 0u; piece < PIECES; piece++) {
#for i in V_ITEMS
      kv_tile[index + 128u * $i] = real_cell(quad(words.i$i, 0u));
#endfor
      if (piece + 1u == PIECES && index < BLOCKS) {
        tile_blocks[index] = next_block;
      }
      workgroupBarrier();
      if (piece + 1u < PIECES) {
        words = value_words(span, wg.y, first, piece + 1u, index);
      } else if (first + TOKENS < span.end) {
        q = queries_of(places, 0u, column);
        words = key_words(span, wg.y, first + TOKENS, 0u, index);
      }
      if (piece == 0u) {
#for r in OUT_ROWS
        let fall$r = falls[out_y + 8u * $r];
#endfor
#for j in OUT_QUADS
#for r in OUT_ROWS
        o$j$r *= fall$r;
#endfor
#endfor
      }
      for (var t4 = 0u; t4 < V_TOKENS / 4u; t4++) {
#for r in OUT_ROWS
        let p$r = floats(row_tile[(out_y + 8u * $r) * PITCH + piece * (V_TOKENS / 4u) + t4]);
#endfor
#for c in 4
#for j in OUT_QUADS
        let v$c$j = vec4<f32>(reals(kv_tile[(4u * t4 + $c) * QUADS + 16u * $j + out_x]));
#for r in OUT_ROWS
        o$j$r = fma(vec4<f32>(p$r[$c]), v$c$j, o$j$r);
#endfor
#endfor
#endfor
      }
      workgroupBarrier();
    }
  }
  total = rows_sum(total, ty, tx);
  shift = rows_sum(shift, ty, tx);
#for r in SCORE_ROWS
  if (tx == 0u) {
    row_tile[ty + 16u * $r] = cell(vec4<f32>(top[$r], total[$r], shift[$r], 0.0));
  }
#endfor
  workgroupBarrier();
#for r in OUT_ROWS
  let end$r = floats(row_tile[out_y + 8u * $r]);
#endfor
#for j in OUT_QUADS
#for r in OUT_ROWS
  put(part, part.first_query + out_y + 8u * $r, wg, 64u * $j + 4u * out_x, o$j$r + end$r.z, end$r.x, end$r.y);
#endfor
#endfor
}
