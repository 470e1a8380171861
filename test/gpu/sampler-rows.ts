/** Runs the sampler over rows of logits and parameters, for its test cases. */

import { sampler } from '../../src/kernels/sampler';
import {
  CHUNK_ROW_WORDS,
  SLOT,
  SLOT_WORDS,
  type StateLayout,
  stateLayout,
} from '../../src/kernels/step-state';
import type { Random } from '../reference/random';
import type { SampledRow } from '../reference/sampler';
import { assertEqual, type GpuTest, nans } from './harness';

export interface Setup {
  readonly maxSlots?: number;
  /** Slot of every row; by default a random choice. */
  readonly slots?: readonly number[];
  readonly workgroupSize?: 256 | 512 | 1024;
  /** The rows come from a chunk, from this row of it on; with `drafts` they are those of one slot and are not fed back. */
  readonly chunkRow?: number;
  readonly drafts?: boolean;
}

const LOGITS_AT = 8;

/** Places of a slot's ids that are kept track of. */
const NUM_IDS = 5003;

/** Parameters that cut nothing, random seed and position, then `change`. */
export function row(random: Random, logits: ArrayLike<number>, change: Partial<SampledRow> = {}): SampledRow {
  const seed = random.below(2 ** 32);
  const plain = {
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    position: random.below(NUM_IDS),
  };
  return { logits, seed, ...plain, ...change };
}

/** Few layouts, because each compiles its own pipeline. */
export function layoutFor(maxSlots: number): StateLayout {
  return stateLayout({
    maxSlots,
    maxChunkTokens: 64,
    maxBlocksPerSequence: 2,
    contextLength: NUM_IDS,
    rotaryDim: 4,
    numRopeTables: 1,
  });
}

/** Poisoned except for what the sampler reads. */
function stateFor(
  layout: StateLayout,
  rows: readonly SampledRow[],
  slots: readonly number[],
  setup: Setup,
): Uint32Array {
  const state = new Uint32Array(layout.totalWords).fill(0xabababab);
  const floats = new Float32Array(state.buffer);
  for (const [index, params] of rows.entries()) {
    const slot = slots[index] ?? 0;
    const at = layout.slotsAt + slot * SLOT_WORDS;
    if (setup.chunkRow !== undefined)
      state.set(
        [0xabababab, slot, params.position],
        layout.chunkAt + (setup.chunkRow + index) * CHUNK_ROW_WORDS,
      );
    else {
      state[layout.rowsAt + index] = slot;
      state[at + SLOT.position] = params.position;
    }
    state[at + SLOT.seed] = params.seed;
    state[at + SLOT.topK] = params.topK;
    floats[at + SLOT.temperature] = params.temperature;
    floats[at + SLOT.topP] = params.topP;
    floats[at + SLOT.minP] = params.minP;
  }
  return state;
}

/** Samples all rows in one dispatch, checks every word of the state afterwards, and returns the ids. */
export async function sample(
  { gpu, random, runStep }: GpuTest,
  rows: readonly SampledRow[],
  setup: Setup = {},
) {
  const vocabSize = rows[0]?.logits.length ?? 0;
  const maxSlots = setup.maxSlots ?? 16;
  const rotate = random.below(maxSlots);
  const slots =
    setup.slots ?? rows.map((_, index) => (setup.drafts ? rotate : (rotate + index * 5) % maxSlots));
  const layout = layoutFor(maxSlots);
  const state = stateFor(layout, rows, slots, setup);
  const logitsStride = Math.ceil(vocabSize / 4) * 4 + 4 * random.below(2);
  const scratch = nans(LOGITS_AT + rows.length * logitsStride + 4);
  for (const [index, { logits }] of rows.entries()) scratch.set(logits, LOGITS_AT + index * logitsStride);
  const prefill = setup.chunkRow === undefined ? null : { row: setup.chunkRow, feeds: !setup.drafts };
  const size = setup.workgroupSize === undefined ? {} : { workgroupSize: setup.workgroupSize };
  const call = { numRows: rows.length, vocabSize, logitsAt: LOGITS_AT, logitsStride, prefill, ...size };
  const after = await runStep({ scratch, state }, sampler(gpu, layout, call));
  const ids = [...after.state.subarray(layout.sampledAt, layout.sampledAt + rows.length)];
  for (const [index, id] of ids.entries()) {
    const slot = slots[index] ?? 0;
    const at = layout.slotsAt + slot * SLOT_WORDS;
    const next = (rows[index]?.position ?? 0) + 1;
    state[layout.sampledAt + index] = id;
    if (!setup.drafts) {
      state[at + SLOT.token] = id;
      state[at + SLOT.position] = next;
      if (next < NUM_IDS) state[layout.idsAt + slot * layout.idsStride + next] = id;
    }
    if (id >= vocabSize) throw new Error(`row ${index}: id ${id} of ${vocabSize}`);
  }
  const wrong = state.findIndex((word, index) => word !== after.state[index]);
  assertEqual(wrong, -1, `first wrong state word (${after.state[wrong]}, expected ${state[wrong]})`);
  const changed = scratch.findIndex((value, index) => !Object.is(value, after.scratch[index]));
  assertEqual(changed, -1, 'first changed word of scratch');
  return ids;
}
