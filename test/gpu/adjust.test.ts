import { adjust, packControls } from '../../src/kernels/adjust';
import {
  CHUNK_ROW_WORDS,
  MAX_CONTROL_WORDS,
  SLOT,
  SLOT_WORDS,
  type StateLayout,
  stateLayout,
} from '../../src/kernels/step-state';
import { type AdjustedRow, adjustTwin } from '../reference/adjust';
import type { Random } from '../reference/random';
import { assertClose, assertEqual, type GpuTest, gpuTest, nans } from './harness';

const MAX_SLOTS = 7;
const MAX_IDS = 700;

/** f32 [vocab] of every row; checks that nothing else was written. `draft`: the rows are of one slot, in order. */
async function run({ gpu, random, runStep }: GpuTest, rows: readonly AdjustedRow[], draft = false) {
  const layout = stateLayout({
    maxSlots: MAX_SLOTS,
    maxChunkTokens: 8,
    maxBlocksPerSequence: 2,
    contextLength: MAX_IDS,
    rotaryDim: 4,
    numRopeTables: 1,
  });
  const rotate = random.below(MAX_SLOTS);
  const slots = rows.map((_, index) => (draft ? rotate : (rotate + index * 3) % MAX_SLOTS));
  const state = new Uint32Array(layout.totalWords).fill(0xabababab);
  for (const [index, row] of rows.entries()) {
    if (draft)
      state.set([0xabababab, rotate, row.ids.length - 1], layout.chunkAt + (2 + index) * CHUNK_ROW_WORDS);
    else state[layout.rowsAt + index] = slots[index] ?? 0;
    writeSlot(state, layout, slots[index] ?? 0, row);
  }
  const vocabSize = rows[0]?.logits.length ?? 0;
  const stride = Math.ceil(vocabSize / 4) * 4 + 4 * random.below(3);
  const outAt = 8 + rows.length * stride + 16;
  const scratch = nans(outAt + rows.length * stride + 8);
  for (const [index, { logits }] of rows.entries()) scratch.set(logits, 8 + index * stride);
  const prefill = draft ? { row: 2, feeds: false } : null;
  const call = { numRows: rows.length, vocabSize, logitsAt: 8, outAt, stride, prefill };
  const after = await runStep({ scratch, state }, adjust(gpu, layout, call));
  assertEqual(
    after.state.findIndex((word, i) => word !== state[i]),
    -1,
    'first changed word of state',
  );
  const isOut = (at: number) => {
    const column = (at - outAt) % stride;
    // A whole quad is written; its last columns belong to no id.
    return at >= outAt && at < outAt + rows.length * stride && column < Math.ceil(vocabSize / 4) * 4;
  };
  const changed = scratch.findIndex((value, i) => !isOut(i) && !Object.is(value, after.scratch[i]));
  assertEqual(changed, -1, 'first word of scratch that should have stayed');
  return rows.map((_, i) => after.scratch.slice(outAt + i * stride, outAt + i * stride + vocabSize));
}

function writeSlot(state: Uint32Array, layout: StateLayout, slot: number, row: AdjustedRow): void {
  const floats = new Float32Array(state.buffer);
  const at = layout.slotsAt + slot * SLOT_WORDS;
  const { words, counts } = packControls(row);
  for (const [word, count] of Object.entries(counts)) state[at + Number(word)] = count;
  state[at + SLOT.position] = row.ids.length - 1;
  state[at + SLOT.numPromptTokens] = row.numPromptTokens;
  state[at + SLOT.firstEnd] = row.firstEnd;
  floats[at + SLOT.repetitionPenalty] = row.repetitionPenalty;
  floats[at + SLOT.frequencyPenalty] = row.frequencyPenalty;
  floats[at + SLOT.presencePenalty] = row.presencePenalty;
  state.set(words, layout.controlsAt + slot * MAX_CONTROL_WORDS);
  state.set(row.ids, layout.idsAt + slot * layout.idsStride);
}

const plain = (random: Random, vocab: number, numIds: number): AdjustedRow => ({
  logits: random.normals(vocab, 4),
  // Few different ids, so that they repeat.
  ids: Array.from({ length: numIds }, () => random.below(random.pick([3, 40, vocab])) % vocab),
  numPromptTokens: 1 + random.below(numIds),
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  biases: new Map(),
  endIds: [],
  firstEnd: 0,
  phrases: [],
});

const idsBelow = (random: Random, vocab: number, count: number) =>
  Array.from({ length: count }, () => random.below(vocab));

/** Some of them end the sequence, all but their last id, and some all but that. */
function phrasesFor(random: Random, ids: readonly number[], vocab: number): readonly (readonly number[])[] {
  return Array.from({ length: 1 + random.below(20) }, () => {
    const length = 1 + random.below(Math.min(5, ids.length + 1));
    const start = ids.slice(ids.length - length);
    const wrong = random.below(3) === 0 ? [random.below(vocab)] : [];
    return [...wrong, ...start, random.below(vocab)];
  });
}

const ASKS: Readonly<
  Record<string, (random: Random, row: AdjustedRow, vocab: number) => Partial<AdjustedRow>>
> = {
  nothing: () => ({}),
  'repetition penalty': (random) => ({ repetitionPenalty: random.pick([0.7, 1.1, 1.5]) }),
  'frequency and presence penalty': (random) => ({
    frequencyPenalty: random.pick([-2, -0.3, 0, 0.5, 2]),
    presencePenalty: random.pick([-1, 0, 0.7, 2]),
  }),
  biases: (random, _, vocab) => ({
    biases: new Map(
      idsBelow(random, vocab, 300).map((id) => [id, random.pick([-100, -99, -1.5, 0.25, 100])]),
    ),
  }),
  'end ids': (random, { ids }, vocab) => ({
    endIds: idsBelow(random, vocab, 1 + random.below(30)),
    firstEnd: ids.length + random.pick([-1, 0, 1, 2, 50]),
  }),
  phrases: (random, { ids }, vocab) => ({ phrases: phrasesFor(random, ids, vocab) }),
};

function all(random: Random, row: AdjustedRow, vocab: number): AdjustedRow {
  return Object.assign({ ...row }, ...Object.values(ASKS).map((ask) => ask(random, row, vocab)));
}

function check(rows: readonly AdjustedRow[], measured: readonly Float32Array[]): void {
  for (const [i, row] of rows.entries()) {
    const out = measured[i] ?? new Float32Array(0);
    const expected = adjustTwin(row);
    const bans = (values: Float32Array) => [...values.keys()].filter((id) => (values[id] ?? 0) < -1e38);
    assertEqual(bans(out), bans(expected), `bans of row ${i}`);
    // Banned ids would hide all errors behind their size.
    const small = (values: Float32Array) => values.map((value) => (value < -1e38 ? 0 : value));
    assertClose(small(out), small(expected), { rel: 1e-6 }, `row ${i}`);
  }
}

for (const [name, ask] of Object.entries(ASKS))
  gpuTest(`adjust: ${name}`, async (test) => {
    const { random } = test;
    for (const vocab of [1, 5, 1023, 1025, 5002]) {
      const rows = Array.from({ length: 3 }, () => {
        const row = plain(random, vocab, 1 + random.below(MAX_IDS));
        return { ...row, ...ask(random, row, vocab) };
      });
      const measured = await run(test, rows);
      check(rows, measured);
      if (name === 'nothing')
        assertEqual(
          measured.map(String),
          rows.map(({ logits }) => String(logits)),
        );
    }
  });

gpuTest('adjust: each row by its own slot, and alone as together', async (test) => {
  const { random } = test;
  const asks = [...Object.values(ASKS), all];
  const rows = asks.map((ask) => {
    const row = plain(random, 2100, 20 + random.below(MAX_IDS - 20));
    return { ...row, ...ask(random, row, 2100) };
  });
  const together = await run(test, rows);
  check(rows, together);
  for (const [i, row] of rows.entries())
    assertEqual((await run(test, [row])).map(String), [String(together[i])], `row ${i} alone`);
});

gpuTest('adjust: rows of a draft, each by the ids before it', async (test) => {
  const { random } = test;
  const vocab = 1500;
  const last = all(random, plain(random, vocab, 60), vocab);
  const rows = Array.from({ length: 6 }, (_, i) => ({
    ...last,
    logits: random.normals(vocab, 4),
    ids: last.ids.slice(0, 55 + i),
  }));
  // The slot is that of the last row: it holds all ids.
  const measured = await run(test, rows, true);
  check(rows, measured);
});
