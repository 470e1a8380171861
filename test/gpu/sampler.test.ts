import { MAX_SAMPLER_VOCAB, sampler } from '../../src/kernels/sampler';
import type { Random } from '../reference/random';
import {
  drawTwin,
  greedyTwin,
  philoxTwin,
  probabilitiesTwin,
  type SampledRow,
  samplerTwin,
} from '../reference/sampler';
import { assertEqual, gpuTest } from './harness';
import { layoutFor, row, sample } from './sampler-rows';

/** Room for the ulps of exp and for the rounding of masses, as a share of the probability. */
const SLACK = 2e-5;

/** The id is kept, and the draw falls into its share; what lies closer to a boundary than SLACK may go either way. */
function checkDraw(params: SampledRow, id: number): void {
  checkKept(params, id);
  if (id === samplerTwin(params)) return;
  const { fraction } = drawTwin(params, 1);
  for (const slack of [SLACK, 0, -SLACK]) {
    const probabilities = probabilitiesTwin(params, slack);
    let before = 0;
    for (let other = 0; other < id; other++) before += probabilities[other] ?? 0;
    const after = before + (probabilities[id] ?? 0);
    if (fraction >= before - SLACK && fraction <= after + SLACK) return;
  }
  const { logits: _, ...words } = params;
  throw new Error(`drew ${id}, expected ${samplerTwin(params)}: ${JSON.stringify(words)}`);
}

function checkKept(params: SampledRow, id: number): void {
  if (!((probabilitiesTwin(params, SLACK)[id] ?? 0) > 0)) {
    const { logits: _, ...words } = params;
    throw new Error(`id ${id} should have been cut: ${JSON.stringify(words)}`);
  }
}

gpuTest('sampler twin: Philox test vectors', async () => {
  // Random123, kat_vectors: philox2x32 10
  assertEqual(philoxTwin(0, [0, 0]), [0xff1dae59, 0x6cd10df2]);
  assertEqual(philoxTwin(0xffffffff, [0xffffffff, 0xffffffff]), [0x2c3f628b, 0xab4fd7ad]);
  assertEqual(philoxTwin(0x13198a2e, [0x243f6a88, 0x85a308d3]), [0xdd7ce038, 0xf62a4c12]);
});

gpuTest('sampler greedy, ties', async (test) => {
  const { random } = test;
  for (const vocab of [1, 2, 3, 255, 257, 8192, 32001]) {
    const rows = [0, 1, 2, 3].map(() => {
      // Multiples of 1/4 tie often.
      const logits = random.normals(vocab, 3).map((l) => Math.round(l * 4) / 4);
      const most = logits.reduce((a, b) => Math.max(a, b));
      const best = logits.indexOf(most);
      // Ties across threads, and within one thread's quads.
      for (const id of [random.below(vocab), random.below(vocab), best + 1, best + 1024])
        logits[id % vocab] = most;
      return row(random, logits, { temperature: 0, topK: 3, topP: 0.5 });
    });
    assertEqual(await sample(test, rows), rows.map(greedyTwin), `vocabulary ${vocab}`);
  }
});

gpuTest('sampler negative and extreme logits', async (test) => {
  const logits = Float32Array.of(-3e38, -5, -4, -2e38, -4, -3e38);
  const rows = [
    row(test.random, logits, { temperature: 0 }),
    row(test.random, new Float32Array(6).fill(-3e38), { temperature: 0 }),
    row(test.random, Float32Array.of(0, 9e37, 8e37, -3e38, 0, 0), { temperature: 100 }),
  ];
  assertEqual(await sample(test, rows), [2, 0, 1]);
  // As low as what stands in for the ids beyond the vocabulary, which still must not be drawn.
  const low = Array.from({ length: 16 }, () => row(test.random, new Float32Array(5).fill(-3e38)));
  const ids = await sample(test, low);
  for (const [index, params] of low.entries()) checkDraw(params, ids[index] ?? -1);
});

const CUTS: Readonly<Record<string, (random: Random, vocab: number) => Partial<SampledRow>>> = {
  'no cut': () => ({}),
  'top-k': (random, vocab) => ({ topK: random.between(1, vocab + 2) }),
  'top-p': (random) => ({ topP: 0.05 + 0.94 * random.uniform() }),
  'min-p': (random) => ({ minP: random.pick([0.02, 0.1, 0.5, 1]) }),
  all: (random) => ({
    topK: random.between(1, 60),
    topP: 0.3 + 0.69 * random.uniform(),
    minP: 0.1 * random.uniform(),
  }),
};

for (const [name, cut] of Object.entries(CUTS))
  gpuTest(`sampler ${name}`, async (test) => {
    const { random } = test;
    for (const vocab of [1, 2, 5, 255, 257, 1025, 8192]) {
      const rows = Array.from({ length: vocab > 2000 ? 4 : 16 }, (_, index) => {
        const exact = random.normals(vocab, 1 + 3 * random.uniform());
        const logits = index % 2 ? exact : exact.map((l) => Math.round(l * 2) / 2);
        // All that is probable side by side.
        if (index % 4 === 3) logits.sort();
        return row(random, logits, { temperature: random.pick([0.1, 0.7, 1, 2]), ...cut(random, vocab) });
      });
      const ids = await sample(test, rows);
      for (const [index, params] of rows.entries()) checkDraw(params, ids[index] ?? -1);
    }
  });

gpuTest('sampler cuts that leave only the best', async (test) => {
  const { random } = test;
  const logits = random.normals(3001, 2);
  const only: readonly Partial<SampledRow>[] = [
    { topK: 1 },
    { topP: 1e-6 },
    { minP: 1 },
    { temperature: 1e-30 },
    { temperature: 1e-4, topP: 0.9 },
    { temperature: 100, topK: 1, topP: 0.99, minP: 0.1 },
  ];
  const rows = only.map((change) => row(random, logits, change));
  assertEqual(await sample(test, rows), rows.map(greedyTwin));
});

gpuTest('sampler large vocabularies', async (test) => {
  const { random } = test;
  for (const vocab of [32001, 151936]) {
    const logits = random.normals(vocab, 2.5);
    const common = { topK: 40, topP: 0.9 };
    for (const params of [row(random, logits, common), row(random, logits, { temperature: 1.5, topP: 0.95 })])
      checkDraw(params, (await sample(test, [params]))[0] ?? -1);
  }
  // The flattest distribution of the largest vocabulary: where a sum would overflow.
  const flat = row(random, new Float32Array(MAX_SAMPLER_VOCAB).fill(1.5), { topP: 0.999999 });
  assertEqual(await sample(test, [flat]), [drawTwin(flat, MAX_SAMPLER_VOCAB).point]);
});

gpuTest('sampler after a chunk: of the prompts that end there', async (test) => {
  const { random } = test;
  for (let round = 0; round < 4; round++) {
    const rows = Array.from({ length: random.between(1, 4) }, () =>
      row(random, random.normals(300, 2), { position: random.between(50, 900), topK: random.below(20) }),
    );
    const ids = await sample(test, rows, { chunkRow: random.below(40) });
    for (const [index, params] of rows.entries()) checkDraw(params, ids[index] ?? -1);
  }
});

gpuTest(
  'sampler of a draft: the ids of decode steps at these positions, and no slot moves on',
  async (test) => {
    const { random } = test;
    const first = row(random, random.normals(300, 2), { position: random.between(50, 900), topK: 40 });
    const rows = Array.from({ length: 8 }, (_, i) => ({
      ...first,
      logits: random.normals(300, 2),
      position: first.position + i,
    }));
    const drafted = await sample(test, rows, { chunkRow: 0, drafts: true });
    assertEqual(drafted, await sample(test, rows), 'ids');
    for (const [index, params] of rows.entries()) checkDraw(params, drafted[index] ?? -1);
  },
);

gpuTest('sampler: a draw depends on nothing but its request', async (test) => {
  const { random, gpu } = test;
  const rows = Array.from({ length: 16 }, () =>
    row(random, random.normals(2500, 2), {
      ...CUTS.all?.(random, 2500),
      temperature: 1.2,
      topK: random.below(300),
    }),
  );
  const together = await sample(test, rows);
  const alone: number[] = [];
  for (const params of rows) alone.push(...(await sample(test, [params])));
  assertEqual(alone, together, 'alone');
  assertEqual((await sample(test, rows.toReversed())).toReversed(), together, 'in another order');
  for (const workgroupSize of [256, 512, 1024] as const)
    if (workgroupSize <= gpu.device.limits.maxComputeInvocationsPerWorkgroup)
      assertEqual(await sample(test, rows, { workgroupSize }), together, `${workgroupSize} threads`);
  const other = await sample(
    test,
    rows.map((params) => ({ ...params, seed: (params.seed + 1) >>> 0 })),
  );
  const next = await sample(
    test,
    rows.map((params) => ({ ...params, position: params.position + 1 })),
  );
  if (other.join() === together.join() || next.join() === together.join())
    throw new Error('seed or position is ignored');
});

for (const [name, change] of Object.entries<Partial<SampledRow>>({
  'no cut': { temperature: 1.3 },
  'all cuts': {
    temperature: 0.9,
    topK: 20,
    topP: 0.95,
    minP: 0.02,
  },
}))
  gpuTest(`sampler distribution, ${name}`, async (test) => {
    const { random } = test;
    const [numRows, numRounds] = [512, 2];
    const logits = random.normals(37, 1.5);
    const probabilities = probabilitiesTwin(row(random, logits, change));
    const drawn = new Float64Array(37);
    for (let round = 0; round < numRounds; round++) {
      // Neighbouring seeds and positions, as requests have them.
      const rows = Array.from({ length: numRows }, (_, seed) =>
        row(random, logits, { ...change, seed, position: round }),
      );
      const slots = rows.map((_, index) => numRows - 1 - index);
      for (const id of await sample(test, rows, { maxSlots: numRows, slots }))
        drawn[id] = (drawn[id] ?? 0) + 1;
    }
    checkChiSquare(drawn, probabilities, numRows * numRounds);
  });

/** Ids expected fewer than 8 times share a bin. The limit is five standard deviations above the mean. */
function checkChiSquare(drawn: Float64Array, probabilities: Float64Array, numDraws: number): void {
  let chiSquare = 0;
  let numBins = 0;
  const rare = { drawn: 0, expected: 0 };
  const add = (count: number, expected: number) => {
    chiSquare += (count - expected) ** 2 / expected;
    numBins++;
  };
  for (const [id, probability] of probabilities.entries()) {
    const [count, expected] = [drawn[id] ?? 0, probability * numDraws];
    if (expected >= 8) add(count, expected);
    else {
      rare.drawn += count;
      rare.expected += expected;
    }
  }
  if (rare.expected > 0) add(rare.drawn, rare.expected);
  else assertEqual(rare.drawn, 0, 'draws of ids that were cut');
  const limit = numBins - 1 + 5 * Math.sqrt(2 * (numBins - 1)) + 5;
  if (numBins < 5 || !(chiSquare <= limit))
    throw new Error(`chi-square ${chiSquare} in ${numBins} bins, limit ${limit}`);
}

gpuTest('sampler refuses what it cannot do', async ({ gpu }) => {
  const layout = layoutFor(4);
  const call = { numRows: 1, vocabSize: 64, logitsAt: 0, logitsStride: 64, prefill: null };
  const wrong: readonly [Partial<Parameters<typeof sampler>[2]>, string][] = [
    [{ vocabSize: 0 }, 'unsupported-model'],
    [{ vocabSize: MAX_SAMPLER_VOCAB + 1, logitsStride: MAX_SAMPLER_VOCAB + 4 }, 'unsupported-model'],
    [{ logitsAt: 2 }, 'internal'],
    [{ logitsStride: 60 }, 'internal'],
    [{ numRows: 9 }, 'internal'],
  ];
  for (const [change, code] of wrong) {
    let thrown: unknown;
    try {
      sampler(gpu, layout, { ...call, ...change });
    } catch (error) {
      thrown = error;
    }
    assertEqual((thrown as { code?: string } | undefined)?.code, code, JSON.stringify(change));
  }
});
