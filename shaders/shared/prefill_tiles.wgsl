// The tiles of prefill_attention.wgsl in workgroup memory, which is little, so that three workgroups share a processor: queries and
// K pass through slice by slice of 32 dims, V through kv_tile too, some tokens with all dims at a time, and probabilities take the
// place of queries. Needs: scratch, state; `#import kv`, `prefill_rows`; defines of attendInTiles in src/kernels/prefill-attention.ts.

const TOKENS = 32u;
const BLOCKS = TOKENS / BLOCK_TOKENS;
const SLICES = (HEAD_DIM + 31) / 32;
// Rows of 32 floats are padded by one vector so that threads reading a column meet different banks.
const PITCH = 9u;
// Of the dims of V, as many as threads beside one another take four each in whole rounds; those past the head are not kept.
const QUADS = 16u * OUT_QUADS;
// Of a tile's V.
const PIECES = TOKENS / V_TOKENS;

// Four floats, or where HALF four halves of twice their size: sixteen bits would need tiles of their own.
#if HALF
alias Cell = vec4<u32>;
fn cell(x: vec4<f32>) -> Cell {
  return bitcast<vec4<u32>>(x);
}
fn real_cell(x: real4) -> Cell {
  return vec4<u32>(bitcast<vec2<u32>>(x), 0u, 0u);
}
fn floats(x: Cell) -> vec4<f32> {
  return bitcast<vec4<f32>>(x);
}
fn reals(x: Cell) -> real4 {
  return bitcast<vec4<f16>>(x.xy);
}
#else
alias Cell = vec4<f32>;
fn cell(x: vec4<f32>) -> Cell {
  return x;
}
fn real_cell(x: real4) -> Cell {
  return x;
}
fn floats(x: Cell) -> vec4<f32> {
  return x;
}
fn reals(x: Cell) -> real4 {
  return x;
}
#endif

var<workgroup> row_tile: array<Cell, TILE_ROWS * PITCH>;
var<workgroup> kv_tile: array<Cell, max(TOKENS * PITCH, V_ITEMS * 128u)>;
// By how much a tile makes what a row has summed up smaller.
var<workgroup> falls: array<f32, TILE_ROWS>;
var<workgroup> tile_blocks: array<u32, BLOCKS>;

// What a thread has on its way to the tiles. Four dims of query rows `line`, `line + 16` ..; of dims past the head, 0.
struct Queries {
#for r in SCORE_ROWS
  r$r: vec4<f32>,
#endfor
}

struct QueryPlaces {
#for r in SCORE_ROWS
  r$r: u32,
#endfor
}

// Where they stand in slice 0, in vectors of scratch.
fn query_places(kv_head: u32, index: u32) -> QueryPlaces {
  var places = QueryPlaces();
#for r in SCORE_ROWS
  places.r$r = query_at(index / 8u + 16u * $r, kv_head) + index % 8u;
#endfor
  return places;
}

fn queries_of(places: QueryPlaces, slice: u32, column: u32) -> Queries {
  var q = Queries();
  if (HEAD_DIM % 32u == 0u || slice * 8u + column < HEAD_DIM / 4u) {
#for r in SCORE_ROWS
    q.r$r = scratch[places.r$r + slice * 8u];
#endfor
  }
  return q;
}

// Words of K or V, four dims each, and with a tile's first the word of scale and offset of a token's K or V.
struct Words {
#for i in V_ITEMS
  i$i: vec4<u32>,
#endfor
  fold: u32,
}

// Of the K (side 0) or V (side 1) of token `i` of a tile. Dims past the head meet queries of 0, or are not kept.
fn kv_words(span: Span, kv_head: u32, side: u32, first: u32, i: u32, d4: u32) -> vec4<u32> {
  let token = seen_token(span, first + i);
  let row_at = kv_codes_at(tile_blocks[(token - first) / BLOCK_TOKENS], kv_head, side, token % BLOCK_TOKENS);
  let inside = min(d4, HEAD_DIM / 4u - 1u);
#if KV_BITS == 4
  return row_quad(row_at, inside);
#else
  return kv_chunk(row_at + inside * CHUNK_WORDS);
#endif
}

#if KV_BITS < 16
// Of a tile's K, then of its V.
var<workgroup> folds: array<vec2<f32>, 2u * TOKENS>;

// Of four tokens.
struct Folds {
  scale: vec4<f32>,
  offset: vec4<f32>,
}

fn folds_of(i: u32) -> Folds {
  let a = folds[i];
  let b = folds[i + 1u];
  let c = folds[i + 2u];
  let d = folds[i + 3u];
  return Folds(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(a.y, b.y, c.y, d.y));
}

fn fold_word(span: Span, kv_head: u32, first: u32, i: u32) -> u32 {
  let token = seen_token(span, first + i % TOKENS);
  let block = tile_blocks[(token - first) / BLOCK_TOKENS];
  return kv_word(kv_params_at(block, kv_head, i / TOKENS % 2u, token % BLOCK_TOKENS));
}
#endif

fn key_words(span: Span, kv_head: u32, first: u32, slice: u32, index: u32) -> Words {
  var words = Words();
#for i in 2
  words.i$i = kv_words(span, kv_head, 0u, first, index / 8u + 16u * $i, slice * 8u + index % 8u);
#endfor
#if KV_BITS < 16
  if (slice == 0u) {
    words.fold = fold_word(span, kv_head, first, index);
  }
#endif
  return words;
}

fn value_words(span: Span, kv_head: u32, first: u32, piece: u32, index: u32) -> Words {
  var words = Words();
#for i in V_ITEMS
  words.i$i = kv_words(span, kv_head, 1u, first, piece * V_TOKENS + (index + 128u * $i) / QUADS, (index + 128u * $i) % QUADS);
#endfor
  return words;
}
