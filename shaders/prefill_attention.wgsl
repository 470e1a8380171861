// Causal attention of a prefill chunk over the paged cache; the chunk's own tokens are already in it, so that every
// row sees the same (round-tripped) keys and values that decode will see.
//   out[r, h, d] = sum_t p v^[t, d] / sum_t p,  p = exp(score - max),  score = softcap(sum_d q[r, h, d] k^[t, d] + terms)
//   terms: of K's bias where it is kept out of the cache (shared/key_bias.wgsl)
//   over t in (position - window, position];  k^ and v^ enter as codes: scales and offsets are folded into score and p
// q: f32 [rows][q_stride] (already scaled), out: f32 [rows][HEADS][HEAD_DIM], or where SPLIT partials
// [rows][HEADS][num_splits][HEAD_DIM + 4] = (max, sum of p, unused, unused, sum_t p v^) for attention_merge.wgsl.
// Thread map: workgroup (x, y, z) takes, of split z of the tokens, 32 query rows of kv head y of one prompt (chunk_part.wgsl), a query row
// being (row of the prompt, head of the kv head), heads fastest. Tiles of 32 tokens in slices of 32 dims: thread (index / 8, index % 8) owns query rows
// 2 (index / 8) and the next, with tokens 4 (index % 8) .. +3 for scores and dims 4 (index % 8) .. +3 of each slice for out.

#params
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
#import state
#import kv
#import chunk_part
#import prefill_output
#import reduce
#import prefill_tiles

const HIDDEN = -3.0e38;
fn capped(s: vec4<f32>) -> vec4<f32> {
#if SOFTCAP
  return params.softcap * precise_tanh(s / params.softcap);
#else
  return s;
#endif
}

fn visible(first: u32, position: u32) -> vec4<bool> {
  let at = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
  return (at <= vec4<u32>(position)) & (vec4<u32>(position) - min(at, vec4<u32>(position)) < vec4<u32>(params.window));
}

fn largest(s: vec4<f32>) -> f32 {
  return max(max(s.x, s.y), max(s.z, s.w));
}

fn dots(q: real4, k0: real4, k1: real4, k2: real4, k3: real4) -> vec4<f32> {
  return vec4<f32>(f32(dot(q, k0)), f32(dot(q, k1)), f32(dot(q, k2)), f32(dot(q, k3)));
}

var<workgroup> shared_part: Part;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let ty = 2u * (index / 8u);
  let tx = index % 8u;
  if (index == 0u) {
    shared_part = find_part(wg.x, 32u);
  }
  let part = workgroupUniformLoad(&shared_part);
  let query = part.first_query + ty;
  let position0 = part.start_position + query / RATIO;
  let position1 = part.start_position + (query + 1u) / RATIO;
  let lowest = part.start_position + part.first_query / RATIO;
  let last = part.start_position + min(part.num_rows - 1u, (part.first_query + 31u) / RATIO) + 1u;
  let begin = lowest + 1u - min(lowest + 1u, params.window);
#if SPLIT
  let num_tiles = (last + 31u) / 32u - begin / 32u;
  let share = (num_tiles + params.num_splits - 1u) / params.num_splits * 32u;
  let first_tile = begin / 32u * 32u + wg.z * share;
  let end = min(last, first_tile + share);
#else
  let first_tile = begin / 32u * 32u;
  let end = last;
#endif
  var sums = vec2<f32>();
  var top = vec2<f32>(HIDDEN);
  var total = vec2<f32>();
  var shift = vec2<f32>();
  var out0: array<vec4<f32>, SLICES>;
  var out1: array<vec4<f32>, SLICES>;
  for (var first = first_tile; first < end; first += 32u) {
    let num_tokens = min(32u, end - first);
    if (index < 32u / BLOCK_TOKENS && index * BLOCK_TOKENS < num_tokens) {
      // Blocks wholly before the window may have been given back: their tokens are masked, any block will do.
      let block = max(first / BLOCK_TOKENS + index, begin / BLOCK_TOKENS);
      tile_blocks[index] = params.layer_at + block_of(part.slot, block) * BLOCK_WORDS;
    }
    workgroupBarrier();
    load_folds(wg.y, num_tokens, index);
#if BIAS_PAIRS > 0
    load_bias(part, wg.y, 0u, first, num_tokens, index);
#endif
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var q_sums = vec2<f32>();
    for (var slice = 0u; slice < SLICES; slice++) {
      load_query(part, wg.y, slice, index);
      load_tile(wg.y, 0u, slice, num_tokens, index);
      workgroupBarrier();
      let q0 = ty * PITCH;
#if KV_BITS < 16
      if (first == first_tile) {
        q_sums += vec2<f32>(dot(vec4<f32>(q_tile[q0 + tx]), vec4<f32>(1.0)), dot(vec4<f32>(q_tile[q0 + PITCH + tx]), vec4<f32>(1.0)));
      }
#endif
      for (var d4 = 0u; d4 < 8u; d4++) {
        let at = tx * PITCH + d4;
        let k0 = kv_tile[at];
        let k1 = kv_tile[at + 8u * PITCH];
        let k2 = kv_tile[at + 16u * PITCH];
        let k3 = kv_tile[at + 24u * PITCH];
        s0 += dots(q_tile[q0 + d4], k0, k1, k2, k3);
        s1 += dots(q_tile[q0 + PITCH + d4], k0, k1, k2, k3);
      }
      workgroupBarrier();
    }
#if KV_BITS < 16
    if (first == first_tile) {
      sums = vec2<f32>(lanes_sum(q_sums.x, index), lanes_sum(q_sums.y, index));
    }
    let f0 = k_fold[4u * tx];
    let f1 = k_fold[4u * tx + 1u];
    let f2 = k_fold[4u * tx + 2u];
    let f3 = k_fold[4u * tx + 3u];
    s0 = s0 * vec4<f32>(f0.x, f1.x, f2.x, f3.x) + sums.x * vec4<f32>(f0.y, f1.y, f2.y, f3.y);
    s1 = s1 * vec4<f32>(f0.x, f1.x, f2.x, f3.x) + sums.y * vec4<f32>(f0.y, f1.y, f2.y, f3.y);
#endif
#if BIAS_PAIRS > 0
    for (var slice = 0u; slice < BIAS_SLICES; slice++) {
      if (slice > 0u) {
        load_bias(part, wg.y, slice, first, num_tokens, index);
        workgroupBarrier();
      }
      s0 += bias_terms(ty, tx);
      s1 += bias_terms(ty + 1u, tx);
      workgroupBarrier();
    }
#endif
    let seen0 = visible(first + 4u * tx, position0);
    let seen1 = visible(first + 4u * tx, position1);
    s0 = select(vec4<f32>(HIDDEN), capped(s0), seen0);
    s1 = select(vec4<f32>(HIDDEN), capped(s1), seen1);
    let new_top = max(top, vec2<f32>(lanes_max(largest(s0), index), lanes_max(largest(s1), index)));
    let fall = exp(top - new_top);
    top = new_top;
    var p0 = select(vec4<f32>(), exp(s0 - top.x), seen0);
    var p1 = select(vec4<f32>(), exp(s1 - top.y), seen1);
    total = total * fall + vec2<f32>(dot(p0, vec4<f32>(1.0)), dot(p1, vec4<f32>(1.0)));
#if KV_BITS < 16
    let g0 = v_fold[4u * tx];
    let g1 = v_fold[4u * tx + 1u];
    let g2 = v_fold[4u * tx + 2u];
    let g3 = v_fold[4u * tx + 3u];
    let offsets = vec4<f32>(g0.y, g1.y, g2.y, g3.y);
    shift = shift * fall + vec2<f32>(dot(p0, offsets), dot(p1, offsets));
    p0 *= vec4<f32>(g0.x, g1.x, g2.x, g3.x);
    p1 *= vec4<f32>(g0.x, g1.x, g2.x, g3.x);
#endif
    p_tile[ty * PITCH + tx] = p0;
    p_tile[(ty + 1u) * PITCH + tx] = p1;
    for (var slice = 0u; slice < SLICES; slice++) {
      load_tile(wg.y, 1u, slice, num_tokens, index);
      workgroupBarrier();
      var o0 = vec4<f32>();
      var o1 = vec4<f32>();
      for (var t4 = 0u; t4 < 8u; t4++) {
        let a = p_tile[ty * PITCH + t4];
        let b = p_tile[(ty + 1u) * PITCH + t4];
        let at = 4u * t4 * PITCH + tx;
        let v0 = vec4<f32>(kv_tile[at]);
        let v1 = vec4<f32>(kv_tile[at + PITCH]);
        let v2 = vec4<f32>(kv_tile[at + 2u * PITCH]);
        let v3 = vec4<f32>(kv_tile[at + 3u * PITCH]);
        o0 += a.x * v0 + a.y * v1 + a.z * v2 + a.w * v3;
        o1 += b.x * v0 + b.y * v1 + b.z * v2 + b.w * v3;
      }
      out0[slice] = out0[slice] * fall.x + o0;
      out1[slice] = out1[slice] * fall.y + o1;
      workgroupBarrier();
    }
  }
  total = vec2<f32>(lanes_sum(total.x, index), lanes_sum(total.y, index));
#if KV_BITS < 16
  shift = vec2<f32>(lanes_sum(shift.x, index), lanes_sum(shift.y, index));
#endif
  for (var slice = 0u; slice < SLICES; slice++) {
    let d = slice * 32u + 4u * tx;
    put(part, query, wg, d, out0[slice] + shift.x, top.x, total.x);
    put(part, query + 1u, wg, d, out1[slice] + shift.y, top.y, total.y);
  }
}
