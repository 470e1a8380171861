// 4-bit codes of a checkpoint into packed rows, without loss: packed[row, j] = u[source_row + row, order(j)], eight codes
// a word; order(j) = perm[j] where PERMUTED (perm: u32[cols] in packed), else j; columns beyond cols are 0.
// source: the codes of a matrix u [source_rows, cols], or part `first`, `count` of them along their first axis (LAYOUT):
//   0 awq-gemm    [cols, source_rows / 8]: nibbles low to high hold rows 0 2 4 6 1 3 5 7
//   1 gptq        [cols / 8, source_rows]: nibbles along the columns
//   2 row-major   [source_rows, cols / 8]: nibbles along the columns (awq-gemv, compressed-tensors)
//   3 awq-fast    [source_rows / 4, cols] of 16 bits: 64 columns of 4 rows interleaved
// packed: the layout of src/weights/packed-tensor.ts.
// Thread map: a word of a row each. Rows are the fast direction where the source holds them so.
// With PERMUTED and parts along the columns, a word comes together over several dispatches: codes of other parts stay.

#params
@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;

#if LAYOUT == 0
fn code(n: u32, k: u32) -> u32 {
  let j = n % 8u;
  let word = source[(k - params.first) * (params.source_rows / 8u) + n / 8u];
  return (word >> (4u * ((j & 1u) * 4u + j / 2u))) & 15u;
}
fn is_held(k: u32) -> bool {
  return k - params.first < params.count;
}
#elif LAYOUT == 1
fn code(n: u32, k: u32) -> u32 {
  return (source[(k / 8u - params.first) * params.source_rows + n] >> (4u * (k % 8u))) & 15u;
}
fn is_held(k: u32) -> bool {
  return k / 8u - params.first < params.count;
}
#elif LAYOUT == 2
fn code(n: u32, k: u32) -> u32 {
  return (source[(n - params.first) * ((params.cols + 7u) / 8u) + k / 8u] >> (4u * (k % 8u))) & 15u;
}
fn is_held(k: u32) -> bool {
  return true;
}
#else
fn code(n: u32, k: u32) -> u32 {
  let in_half = k % 32u;
  let position = 32u * (k % 64u / 32u) + 8u * (in_half % 8u / 2u) + 4u * (in_half % 2u) + in_half / 8u;
  let at = (n / 4u - params.first) * params.cols + k / 64u * 64u + n % 4u * 16u + position / 4u;
  return (source[at / 2u] >> (16u * (at % 2u) + 4u * (position % 4u))) & 15u;
}
fn is_held(k: u32) -> bool {
  return true;
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
#if LAYOUT < 2
  let row = id.x;
  let word = id.y;
#else
  let row = id.y;
  let word = id.x;
#endif
  if (row >= params.rows || word >= params.num_words) {
    return;
  }
  let n = params.source_row + row;
  let first = (params.first_word + word) * 8u;
  let at = params.codes_at + row * params.row_words + params.first_word + word;
  var codes = 0u;
#if PERMUTED
  codes = packed[at];
#endif
  for (var i = 0u; i < 8u; i++) {
    let j = first + i;
    if (j >= params.cols) {
      codes = insertBits(codes, 0u, 4u * i, 4u);
    } else {
#if PERMUTED
      let k = packed[params.perm_at + j];
#else
      let k = j;
#endif
      if (is_held(k)) {
        codes = insertBits(codes, code(n, k), 4u * i, 4u);
      }
    }
  }
  packed[at] = codes;
}
