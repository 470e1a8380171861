import { attentionMerge } from '../../src/kernels/attention-merge';
import { packChunk } from '../../src/kernels/chunk-rows';
import { partialFloats } from '../../src/kernels/decode-attention';
import { integerFloats, integerRows } from '../../src/kernels/integer-rows';
import type { KvBits } from '../../src/kernels/kv-layout';
import { prefillAttention } from '../../src/kernels/prefill-attention';
import { packedLinear } from '../../src/weights/packed-tensor';
import { attentionTwin } from '../reference/attention';
import { attentionMergeTwin } from '../reference/attention-merge';
import type { Random } from '../reference/random';
import { type BiasSceneShape, biasScene } from './bias-scene';
import { assertClose, assertEqual, type GpuTest, gpuTest, nans } from './harness';
import { fillCache, kvScene } from './kv-scene';

interface Shape extends BiasSceneShape {
  readonly kvBits: KvBits;
  readonly blockTokens: 16 | 32;
}

interface PromptPart {
  readonly start: number;
  readonly numRows: number;
  /** Its last row stands behind the rows of all prompts. */
  readonly sample: boolean;
}

interface PrefillRun {
  readonly prompts: readonly PromptPart[];
  readonly window: number;
  readonly numSplits: number;
}

const chunk = (start: number, numRows: number, window = 0, numSplits = 1): PrefillRun => ({
  prompts: [{ start, numRows, sample: false }],
  window,
  numSplits,
});

/** Rows of several prompts, each from a position on; those of odd number are sampled. */
const prompts = (
  parts: readonly (readonly [start: number, numRows: number])[],
  window = 0,
  numSplits = 1,
): PrefillRun => ({
  prompts: parts.map(([start, numRows], i) => ({ start, numRows, sample: i % 2 === 1 })),
  window,
  numSplits,
});

// Few shapes with several runs each: compiling takes most of the time on a software GPU.
const PREFILL: readonly (readonly [Shape, ...PrefillRun[]])[] = [
  [
    { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, blockTokens: 16 },
    chunk(0, 1),
    chunk(0, 45),
    chunk(21, 13),
    chunk(50, 20, 20),
    chunk(96, 64),
    chunk(150, 13, 0, 3),
    chunk(100, 30, 40, 5),
    prompts([
      [0, 5],
      [60, 1],
      [0, 33],
      [17, 11],
    ]),
    prompts(
      [
        [150, 9],
        [3, 20],
      ],
      0,
      3,
    ),
  ],
  [
    { kvBits: 8, headDim: 128, ratio: 6, numKvHeads: 1, blockTokens: 32 },
    chunk(33, 9),
    chunk(16, 40, 33),
    chunk(64, 32, 0, 2),
  ],
  [{ kvBits: 8, headDim: 256, ratio: 4, numKvHeads: 1, blockTokens: 16, softcap: 3 }, chunk(7, 20)],
  [{ kvBits: 4, headDim: 96, ratio: 2, numKvHeads: 2, blockTokens: 32 }, chunk(90, 5), chunk(15, 34, 5)],
  [{ kvBits: 4, headDim: 8, ratio: 3, numKvHeads: 2, blockTokens: 16 }, chunk(31, 12)],
  [{ kvBits: 4, headDim: 320, ratio: 1, numKvHeads: 1, blockTokens: 16 }, chunk(40, 35)],
  [{ kvBits: 16, headDim: 80, ratio: 8, numKvHeads: 1, blockTokens: 16 }, chunk(31, 6), chunk(20, 9, 3)],
  [{ kvBits: 32, headDim: 32, ratio: 1, numKvHeads: 3, blockTokens: 16 }, chunk(0, 70), chunk(64, 32, 40)],
  [
    { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, blockTokens: 16, biasPairs: 4 },
    chunk(0, 45),
    chunk(50, 20, 20),
    prompts([
      [40, 6],
      [0, 12],
      [9, 30],
    ]),
  ],
  [{ kvBits: 16, headDim: 128, ratio: 2, numKvHeads: 2, blockTokens: 32, biasPairs: 64 }, chunk(33, 40)],
  [
    {
      ...{ kvBits: 8, headDim: 80, ratio: 3, numKvHeads: 2, blockTokens: 16 },
      biasPairs: 16,
      rotaryDim: 20,
      softcap: 3,
    },
    chunk(7, 30),
  ],
];

/**
 * f32: sums of some hundred products and the folded offset, whose terms are several times larger than their sum.
 * f16, and matrices whatever the cache: queries rounded by 2^-11 shift scores of about 2 by about 2e-3, and probabilities by as much.
 */
function tolerance(test: GpuTest, shape: Shape): { rel: number } {
  return { rel: test.gpu.matrices || (test.f16 && shape.kvBits < 16) ? 5e-3 : 1e-5 };
}

function name(shape: Shape): string {
  const { kvBits, headDim, ratio, blockTokens, biasPairs } = shape;
  const bias = biasPairs ? ` bias ${biasPairs}` : '';
  return `prefill_attention kv${kvBits} d${headDim} ratio ${ratio} T${blockTokens}${bias}`;
}

for (const [shape, ...chunks] of PREFILL)
  gpuTest(name(shape), async (test) => {
    for (const each of chunks) await checkPrefill(test, shape, each);
  });

/** Random queries of `numRows` rows written into `scratch`, and the same by row. */
function makeQueries(
  random: Random,
  scratch: Float32Array,
  numRows: number,
  shape: QueryShape,
): Float32Array[] {
  return Array.from({ length: numRows }, (_, row) => {
    const q = random.normals(shape.rowFloats, 2 / Math.sqrt(shape.headDim));
    scratch.set(q, shape.qAt + row * shape.qStride);
    return q;
  });
}

interface QueryShape {
  readonly qAt: number;
  readonly qStride: number;
  readonly rowFloats: number;
  readonly headDim: number;
}

async function checkPrefill(
  test: GpuTest,
  shape: Shape,
  { prompts, window, numSplits }: PrefillRun,
): Promise<void> {
  const { random, gpu, runStep } = test;
  const { headDim, ratio, numKvHeads, softcap = 0 } = shape;
  const lengths = [random.between(1, 40), ...prompts.map(({ start, numRows }) => start + numRows)];
  const places = [
    ...prompts.flatMap((prompt, i) => rowsOf(prompt, i).slice(0, prompt.numRows - (prompt.sample ? 1 : 0))),
    ...prompts.flatMap((prompt, i) => (prompt.sample ? rowsOf(prompt, i).slice(-1) : [])),
  ];
  const numRows = places.length;
  const bias = biasScene(shape, random);
  const scene = kvScene({ ...shape, ...bias?.state, lengths }, random);
  fillCache(scene, lengths, random);
  const numHeads = numKvHeads * ratio;
  const rowFloats = numHeads * headDim;
  const [qAt, qStride] = [8, rowFloats + 4];
  const outAt = qAt + numRows * qStride;
  const end = outAt + numRows * rowFloats;
  const partialsAt = Math.ceil((end + 8) / 4) * 4;
  const partials = partialFloats({ numRows, numHeads, numSplits, headDim });
  const termsAt = partialsAt + partials + 8;
  const scratch = nans(termsAt + numRows * (bias?.rowFloats ?? 0));
  const queries = makeQueries(random, scratch, numRows, { qAt, qStride, rowFloats, headDim });
  const { rows, parts } = packChunk(
    prompts.map(({ start, numRows, sample }, i) => ({
      slot: scene.slots[1 + i] ?? 0,
      startPosition: start,
      tokenIds: new Uint32Array(numRows),
      sample,
    })),
  );
  scene.state.set(rows, scene.stateLayout.chunkAt);
  scene.state.set(parts, scene.stateLayout.partsAt);
  const call = {
    parts: prompts.map(({ start, numRows }) => ({ startPosition: start, numRows })),
    numRows,
    numHeads,
    qAt,
    qStride,
    outAt,
    numSplits,
    partialsAt,
    window,
    softcap,
    layerAt: scene.kv.layerAt,
    keyBias: bias?.place(scene, scratch, queries, termsAt) ?? null,
  };
  const dispatches = prefillAttention(gpu, scene.stateLayout, scene.layout, call);
  const result = await runStep({ scratch, kv: scene.kv.words, state: scene.state }, dispatches);
  for (const [row, q] of queries.entries()) {
    const at = outAt + row * rowFloats;
    assertClose(
      result.scratch.subarray(at, at + rowFloats),
      attentionTwin(q, {
        kv: scene.kv,
        table: scene.tables[1 + (places[row]?.prompt ?? 0)] ?? [],
        position: places[row]?.position ?? 0,
        numHeads,
        window,
        softcap,
        ...bias?.twin(scene),
      }),
      tolerance(test, shape),
      `${JSON.stringify(prompts)}, window ${window}, ${numSplits} splits, row ${row}`,
    );
  }
  assertPoison(result.scratch, end, partialsAt);
  assertPoison(result.scratch, termsAt - 8, termsAt);
}

function rowsOf({ start, numRows }: PromptPart, prompt: number) {
  return Array.from({ length: numRows }, (_, i) => ({ prompt, position: start + i }));
}

for (const numSplits of [1, 2, 7, 33, 128])
  gpuTest(`attention_merge ${numSplits} splits`, async ({ gpu, random, runStep }) => {
    const [numRows, numHeads, headDim] = [
      random.between(1, 3),
      random.between(1, 5),
      random.pick([8, 80, 128, 256]),
    ];
    const each = numSplits * (headDim + 4);
    const partialsAt = 12;
    const outAt = partialsAt + numRows * numHeads * each;
    const scratch = nans(outAt + numRows * numHeads * headDim + 8);
    const expected: number[] = [];
    for (let i = 0; i < numRows * numHeads; i++) {
      const partials = random.normals(each);
      for (let split = 0; split < numSplits; split++) {
        const at = split * (headDim + 4);
        const empty = split > 0 && random.below(3) === 0;
        if (empty) partials.fill(0, at, at + headDim + 4);
        partials[at] = empty ? -3e38 : 20 * random.normal();
        partials[at + 1] = empty ? 0 : 1 + random.uniform();
        partials.fill(Number.NaN, at + 2, at + 4);
      }
      scratch.set(partials, partialsAt + i * each);
      expected.push(...attentionMergeTwin(partials, numSplits, headDim));
    }
    const dispatch = attentionMerge(gpu, { numRows, numHeads, headDim, numSplits, partialsAt, outAt });
    const result = await runStep({ scratch }, [dispatch]);
    const end = outAt + expected.length;
    // exp of differences of about 50 is off by 50 ulps where the GPU rounds its argument.
    assertClose(result.scratch.subarray(outAt, end), expected, { rel: 2e-5 });
    assertPoison(result.scratch, end, end + 8);
  });

for (const groupSize of [32, 128])
  gpuTest(
    `attention_merge prepares its results in groups of ${groupSize}`,
    async ({ gpu, random, runStep }) => {
      const [numRows, numHeads, numSplits] = [
        random.between(1, 20),
        random.between(1, 9),
        random.between(2, 40),
      ];
      const headDim = groupSize * random.between(1, 2);
      const weight = {
        ...packedLinear('o', random.pick(['w4', 'w8']), 8, numHeads * headDim, groupSize),
        ...{ slab: 0, byteOffset: 0 },
      };
      const planeRows = numRows + random.below(8);
      const partialsAt = 8;
      const outAt = partialsAt + numRows * numHeads * numSplits * (headDim + 4);
      const rowsAt = outAt + numRows * numHeads * headDim;
      const scratch = nans(rowsAt + planeRows * integerFloats(weight.cols) + 8);
      scratch.set(random.normals(outAt - partialsAt), partialsAt);
      for (let at = partialsAt + 1; at < outAt; at += headDim + 4) scratch[at] = 1 + random.uniform();
      const call = { numRows, numHeads, headDim, numSplits, partialsAt, outAt };
      const apart = await runStep({ scratch }, [
        attentionMerge(gpu, call),
        integerRows(gpu, { weight, numRows, inAt: outAt, outAt: 0 }, rowsAt, planeRows),
      ]);
      const together = await runStep({ scratch }, [
        attentionMerge(gpu, { ...call, prepares: { weight, rowsAt, planeRows } }),
      ]);
      const words = (floats: Float32Array) => new Uint32Array(floats.buffer).slice(rowsAt).join();
      assertEqual(words(together.scratch), words(apart.scratch), 'prepared rows');
      assertPoison(together.scratch, outAt, rowsAt);
    },
    // Neighbours of one subgroup share a group.
    ({ subgroupSize }) => subgroupSize * 8 >= groupSize,
  );

function assertPoison(values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++)
    if (!Number.isNaN(values[i])) throw new Error(`scratch[${i}] outside the outputs became ${values[i]}`);
}
