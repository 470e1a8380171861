// Whose rows a workgroup of prefill attention takes: a chunk has a part for each prompt (src/kernels/chunk-rows.ts), and each part
// has workgroups of its own.
// Needs: state; params.num_parts; defines of stateDefines(), RATIO.

struct Part {
  slot: u32,
  start_position: u32,
  num_rows: u32,
  first_row: u32,
  // Sampled rows stand behind all others.
  last_row: u32,
  // Of this workgroup, among the part's (row, head of the kv head).
  first_query: u32,
}

fn part_word(number: u32, word: u32) -> u32 {
  return state[PARTS_AT + number * PART_WORDS + word];
}

// That of workgroup `tile`, of `queries` queries each.
fn find_part(tile: u32, queries: u32) -> Part {
  var left = tile;
  var number = 0u;
  loop {
    let tiles = (part_word(number, 2u) * RATIO + queries - 1u) / queries;
    if (left < tiles || number + 1u >= params.num_parts) {
      break;
    }
    left -= tiles;
    number++;
  }
  return Part(
    part_word(number, 0u), part_word(number, 1u), part_word(number, 2u), part_word(number, 3u), part_word(number, 4u), left * queries);
}

fn step_row(part: Part, row: u32) -> u32 {
  return select(part.first_row + row, part.last_row, row + 1u == part.num_rows);
}
