// Rows of a step. Needs: var<storage, read_write> state: array<u32>; defines of stateDefines(); PREFILL;
// params.first_row where PREFILL.
//   decode   row r belongs to slot rows[r]; token and position live in the slot
//   prefill  row r is row params.first_row + r of the chunk, which has token, slot and position of each

const SLOT_POSITION = 0u;
const SLOT_TOKEN = 1u;
const SLOT_SEED = 2u;
const SLOT_TEMPERATURE = 3u;
const SLOT_TOP_K = 4u;
const SLOT_TOP_P = 5u;
const SLOT_MIN_P = 6u;
const SLOT_REPETITION_PENALTY = 7u;
const SLOT_FREQUENCY_PENALTY = 8u;
const SLOT_PRESENCE_PENALTY = 9u;
const SLOT_NUM_PROMPT_TOKENS = 10u;
const SLOT_FIRST_END = 11u;
const SLOT_NUM_BIASES = 12u;
const SLOT_NUM_END_IDS = 13u;
const SLOT_NUM_PHRASES = 14u;
const SLOT_NUM_TOP = 15u;

fn slot_word(slot: u32, word: u32) -> u32 {
  return SLOTS_AT + slot * SLOT_WORDS + word;
}

#if PREFILL
fn chunk_word(row: u32, word: u32) -> u32 {
  return state[CHUNK_AT + (params.first_row + row) * CHUNK_ROW_WORDS + word];
}
#endif

fn row_slot(row: u32) -> u32 {
#if PREFILL
  return chunk_word(row, 1u);
#else
  return state[ROWS_AT + row];
#endif
}

fn row_position(row: u32) -> u32 {
#if PREFILL
  return chunk_word(row, 2u);
#else
  return state[slot_word(row_slot(row), SLOT_POSITION)];
#endif
}

fn row_token(row: u32) -> u32 {
#if PREFILL
  return chunk_word(row, 0u);
#else
  return state[slot_word(row_slot(row), SLOT_TOKEN)];
#endif
}

fn block_of(slot: u32, block_index: u32) -> u32 {
  return state[TABLES_AT + slot * TABLE_STRIDE + block_index];
}
