import { logprobs } from '../../src/kernels/logprobs';
import { CHUNK_ROW_WORDS, LOGPROB_WORDS, SLOT, SLOT_WORDS, stateLayout } from '../../src/kernels/step-state';
import { logprobsTwin } from '../reference/logprobs';
import { assertClose, assertEqual, type GpuTest, gpuTest, nans } from './harness';

const MAX_SLOTS = 5;

interface Row {
  readonly logits: ArrayLike<number>;
  readonly id: number;
  readonly numTop: number;
}

/** Runs the rows, of a slot each or all of one, and checks every word. */
async function check(test: GpuTest, rows: readonly Row[], draft = false, workgroupSize?: 256): Promise<void> {
  const { gpu, random, runStep } = test;
  const layout = stateLayout({
    maxSlots: MAX_SLOTS,
    maxChunkTokens: 8,
    maxBlocksPerSequence: 2,
    contextLength: 16,
    rotaryDim: 4,
    numRopeTables: 1,
  });
  const state = new Uint32Array(layout.totalWords).fill(0xabababab);
  const vocabSize = rows[0]?.logits.length ?? 0;
  const logitsStride = Math.ceil(vocabSize / 4) * 4 + 4 * random.below(2);
  const scratch = nans(8 + rows.length * logitsStride + 4);
  for (const [index, { logits, id, numTop }] of rows.entries()) {
    const slot = draft ? 3 : (index * 2 + 1) % MAX_SLOTS;
    if (draft) state[layout.chunkAt + (1 + index) * CHUNK_ROW_WORDS + 1] = slot;
    else state[layout.rowsAt + index] = slot;
    state[layout.sampledAt + index] = id;
    state[layout.slotsAt + slot * SLOT_WORDS + SLOT.numTop] = numTop;
    scratch.set(logits, 8 + index * logitsStride);
  }
  const prefill = draft ? { row: 1, feeds: false } : null;
  const call = { numRows: rows.length, vocabSize, logitsAt: 8, logitsStride, prefill };
  const size = workgroupSize === undefined ? {} : { workgroupSize };
  const after = await runStep({ scratch, state }, logprobs(gpu, layout, { ...call, ...size }));
  const floats = new Float32Array(after.state.buffer, after.state.byteOffset, after.state.length);
  for (const [index, { logits, id, numTop }] of rows.entries()) {
    const at = layout.logprobsAt + index * LOGPROB_WORDS;
    const expected = logprobsTwin(logits, id, numTop);
    const places = expected.top.map((_, i) => at + 1 + 2 * i);
    assertEqual(
      places.map((place) => after.state[place]),
      expected.top.map((choice) => choice.id),
      `ids of row ${index}`,
    );
    const values = [floats[at] ?? Number.NaN, ...places.map((place) => floats[place + 1] ?? Number.NaN)];
    const wanted = [expected.logprob, ...expected.top.map((choice) => choice.logprob)];
    // Sums of thousands of exponentials in f32, in another order.
    assertClose(values, wanted, { rel: 1e-5, abs: 1e-5 }, `logprobs of row ${index}`);
    for (let word = 0; word < 1 + 2 * expected.top.length; word++)
      state[at + word] = after.state[at + word] ?? 0;
  }
  const changed = state.findIndex((word, i) => word !== after.state[i]);
  assertEqual(changed, -1, 'first changed word of state');
  const written = scratch.findIndex((value, i) => !Object.is(value, after.scratch[i]));
  assertEqual(written, -1, 'first changed word of scratch');
}

gpuTest('logprobs: chosen and most probable, ties, fewer ids than asked for', async (test) => {
  const { random } = test;
  for (const vocab of [1, 3, 21, 255, 1030, 8192]) {
    const rows = [0, 1, 5, 20, 20].map((numTop, i) => {
      const exact = random.normals(vocab, 3);
      // Halves tie often.
      const logits = i % 2 ? exact : exact.map((logit) => Math.round(logit * 2) / 2);
      return { logits, id: random.below(vocab), numTop };
    });
    await check(test, rows);
    await check(test, rows, false, 256);
  }
});

gpuTest('logprobs: a large vocabulary, logits of all sizes', async (test) => {
  const { random } = test;
  const large = random.normals(151936, 2.5);
  await check(test, [{ logits: large, id: 7, numTop: 20 }]);
  const spread = Float32Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? -3000 : 900 + i / 8));
  await check(test, [{ logits: spread, id: 0, numTop: 20 }]);
  await check(test, [{ logits: new Float32Array(64).fill(-5), id: 63, numTop: 20 }]);
});

gpuTest('logprobs: rows of a draft', async (test) => {
  const { random } = test;
  const rows = Array.from({ length: 8 }, () => ({
    logits: random.normals(300, 2),
    id: random.below(300),
    numTop: 4,
  }));
  await check(test, rows, true);
});
