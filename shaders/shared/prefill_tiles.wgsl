// The tiles of prefill_attention.wgsl in workgroup memory, loaded slice by slice of 32 dims, four dims an element. Queries of all
// slices would not have to be loaded again for every tile of tokens, but leave a processor no room for a second workgroup.

const SLICES = (HEAD_DIM + 31) / 32;
// Rows of tiles are padded by one vector so that eight threads reading a column meet eight bank groups.
const PITCH = 9u;

var<workgroup> q_tile: array<real4, 32 * PITCH>;
var<workgroup> kv_tile: array<real4, 32 * PITCH>;
var<workgroup> p_tile: array<vec4<f32>, 32 * PITCH>;
var<workgroup> k_fold: array<vec2<f32>, 32>;
var<workgroup> v_fold: array<vec2<f32>, 32>;
var<workgroup> tile_blocks: array<u32, 32 / BLOCK_TOKENS>;

// Query rows' dims of one slice. Rows past the chunk and dims past the head are 0.
fn load_query(part: Part, kv_head: u32, slice: u32, index: u32) {
  for (var i = index; i < 256u; i += 128u) {
    let query = part.first_query + i / 8u;
    let row = query / RATIO;
    let d = slice * 32u + (i % 8u) * 4u;
    var q = vec4<f32>();
    if (row < part.num_rows && d < HEAD_DIM) {
      q = scratch[(params.q_at + step_row(part, row) * params.q_stride + (kv_head * RATIO + query % RATIO) * HEAD_DIM + d) / 4u];
    }
    q_tile[i / 8u * PITCH + i % 8u] = real4(q);
  }
}

// One slice of the tile's K (side 0) or V (side 1). K rows are stored as 0, 4, 8 .. 28, 1, 5 ..: a thread's tokens lie
// eight rows apart, and the eight threads of a query row read neighbouring rows.
fn load_tile(kv_head: u32, side: u32, slice: u32, num_tokens: u32, index: u32) {
  for (var i = index; i < 256u; i += 128u) {
    let token = i / 8u;
    let d4 = slice * 8u + i % 8u;
    var x = real4();
    if (token < num_tokens && d4 * 4u < HEAD_DIM) {
      let at = kv_codes_at(tile_blocks[token / BLOCK_TOKENS], kv_head, side, token % BLOCK_TOKENS);
      x = quad(row_quad(at, d4), 0u);
    }
    let row = select((token % 4u) * 8u + token / 4u, token, side == 1u);
    kv_tile[row * PITCH + i % 8u] = x;
  }
}

fn load_folds(kv_head: u32, num_tokens: u32, index: u32) {
#if KV_BITS < 16
  if (index < 64u) {
    let token = index % 32u;
    let side = index / 32u;
    var pair = vec2<f32>();
    if (token < num_tokens) {
      pair = fold(kv_word(kv_params_at(tile_blocks[token / BLOCK_TOKENS], kv_head, side, token % BLOCK_TOKENS)));
    }
    if (side == 0u) {
      k_fold[token] = pair;
    } else {
      v_fold[token] = pair;
    }
  }
#endif
}

#if BIAS_PAIRS > 0
#import rotary
#import key_bias
#import key_bias_terms

// Two pairs to a vector: (w, w') of a query row, (cos, sin, cos', sin') of a token; at most 8 vectors of each at a time.
const BIAS_QUADS = min(BIAS_PAIRS / 2u, 8u);
const BIAS_SLICES = BIAS_PAIRS / 2u / BIAS_QUADS;
const ANGLE_PITCH = BIAS_QUADS + 1u;

var<workgroup> angle_tile: array<vec4<f32>, 32 * ANGLE_PITCH>;

// The w of a slice of pairs to p_tile, which is free until there are probabilities, and the angles in the order of K rows.
fn load_bias(part: Part, kv_head: u32, slice: u32, first: u32, num_tokens: u32, index: u32) {
  for (var i = index; i < 32u * BIAS_QUADS; i += 128u) {
    let line = i / BIAS_QUADS;
    let column = i % BIAS_QUADS;
    let pair = 2u * (slice * BIAS_QUADS + column);
    let query = part.first_query + line;
    var terms = vec4<f32>();
    if (query / RATIO < part.num_rows) {
      terms = scratch[(terms_before(step_row(part, query / RATIO), kv_head * RATIO + query % RATIO) + 2u * pair) / 4u];
    }
    p_tile[line * PITCH + column] = terms;
    var angles = vec4<f32>();
    if (line < num_tokens) {
      let angle = rope_angle(first + line, bias_pair(kv_head, pair));
      angles = vec4<f32>(angle, rope_angle(first + line, bias_pair(kv_head, pair + 1u)));
    }
    angle_tile[((line % 4u) * 8u + line / 4u) * ANGLE_PITCH + column] = angles;
  }
}

// The loaded slice's share of the scores of a query row and the tokens 4 tx .. 4 tx + 3.
fn bias_terms(line: u32, tx: u32) -> vec4<f32> {
  var sums = vec4<f32>();
  for (var column = 0u; column < BIAS_QUADS; column++) {
    let w = p_tile[line * PITCH + column];
    let at = tx * ANGLE_PITCH + column;
    const NEXT = 8u * ANGLE_PITCH;
    sums += vec4<f32>(dot(w, angle_tile[at]), dot(w, angle_tile[at + NEXT]), dot(w, angle_tile[at + 2u * NEXT]), dot(w, angle_tile[at + 3u * NEXT]));
  }
  return sums;
}
#endif
