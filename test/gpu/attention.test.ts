import { attentionMerge } from '../../src/kernels/attention-merge';
import { decodeAttention, partialFloats } from '../../src/kernels/decode-attention';
import type { KvBits } from '../../src/kernels/kv-layout';
import { prefillAttention } from '../../src/kernels/prefill-attention';
import { attentionTwin } from '../reference/attention';
import { attentionMergeTwin } from '../reference/attention-merge';
import { assertClose, type GpuTest, gpuTest, nans } from './harness';
import { fillCache, kvScene } from './kv-scene';

interface Shape {
  readonly kvBits: KvBits;
  readonly headDim: number;
  readonly ratio: number;
  readonly numKvHeads?: number;
  readonly blockTokens?: 16 | 32;
  readonly window?: number;
  readonly softcap?: number;
}
interface DecodeShape extends Shape {
  readonly lengths: readonly number[];
  readonly numSplits?: number;
}
interface PrefillShape extends Shape {
  readonly start: number;
  readonly numRows: number;
}

const DECODE: readonly DecodeShape[] = [
  { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, lengths: [1, 16, 17, 150] },
  { kvBits: 8, headDim: 128, ratio: 6, numKvHeads: 2, lengths: [31, 200], numSplits: 5 },
  { kvBits: 8, headDim: 128, ratio: 2, lengths: [64, 65, 63], blockTokens: 32, numSplits: 2 },
  { kvBits: 8, headDim: 80, ratio: 1, numKvHeads: 3, lengths: [33, 129] },
  { kvBits: 8, headDim: 8, ratio: 4, lengths: [5, 100], numSplits: 2 },
  { kvBits: 8, headDim: 256, ratio: 8, lengths: [70], softcap: 3 },
  { kvBits: 8, headDim: 64, ratio: 3, numKvHeads: 2, lengths: [10, 90, 170], window: 37, numSplits: 2 },
  { kvBits: 8, headDim: 32, ratio: 16, lengths: [40, 3], numSplits: 5 },
  { kvBits: 8, headDim: 96, ratio: 11, lengths: [81] },
  { kvBits: 4, headDim: 64, ratio: 2, lengths: [15, 66], blockTokens: 32 },
  { kvBits: 4, headDim: 8, ratio: 3, numKvHeads: 2, lengths: [20, 21] },
  { kvBits: 4, headDim: 80, ratio: 4, lengths: [99], numSplits: 2 },
  { kvBits: 16, headDim: 64, ratio: 6, lengths: [48, 49] },
  { kvBits: 16, headDim: 96, ratio: 1, numKvHeads: 2, lengths: [130], window: 16, blockTokens: 32 },
  { kvBits: 32, headDim: 8, ratio: 2, numKvHeads: 4, lengths: [7, 80], numSplits: 5 },
  { kvBits: 32, headDim: 256, ratio: 4, lengths: [34], window: 40, softcap: 5 },
];

const PREFILL: readonly PrefillShape[] = [
  { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, start: 0, numRows: 1 },
  { kvBits: 8, headDim: 64, ratio: 7, start: 0, numRows: 45 },
  { kvBits: 8, headDim: 128, ratio: 6, start: 21, numRows: 13 },
  { kvBits: 8, headDim: 128, ratio: 2, start: 50, numRows: 40, blockTokens: 32, window: 20 },
  { kvBits: 8, headDim: 256, ratio: 4, start: 7, numRows: 20, softcap: 3 },
  { kvBits: 8, headDim: 8, ratio: 1, numKvHeads: 3, start: 0, numRows: 70 },
  { kvBits: 8, headDim: 80, ratio: 3, start: 33, numRows: 9 },
  { kvBits: 4, headDim: 32, ratio: 8, start: 16, numRows: 16 },
  { kvBits: 4, headDim: 96, ratio: 2, numKvHeads: 2, start: 90, numRows: 5, window: 33 },
  { kvBits: 16, headDim: 64, ratio: 4, start: 5, numRows: 28, blockTokens: 32 },
  { kvBits: 16, headDim: 80, ratio: 16, start: 31, numRows: 3 },
  { kvBits: 32, headDim: 8, ratio: 2, numKvHeads: 4, start: 15, numRows: 34 },
  { kvBits: 32, headDim: 256, ratio: 1, start: 0, numRows: 33, window: 5 },
];

/**
 * f32: sums of some hundred products and the folded offset, whose terms are several times larger than their sum.
 * f16: queries rounded by 2^-11 shift scores of about 2 by about 2e-3, and probabilities by as much.
 */
function tolerance(test: GpuTest, shape: Shape): { rel: number } {
  return { rel: test.f16 && shape.kvBits < 16 ? 5e-3 : 1e-5 };
}

function name(kernel: string, shape: Shape): string {
  const { kvBits, headDim, ratio, blockTokens = 16, window = 0, softcap = 0 } = shape;
  return `${kernel} kv${kvBits} d${headDim} ratio ${ratio} T${blockTokens} window ${window} cap ${softcap}`;
}

for (const shape of DECODE)
  gpuTest(`${name('decode_attention', shape)} splits ${shape.numSplits ?? 1}`, async (test) => {
    const { random, gpu, runStep } = test;
    const { headDim, ratio, lengths, window = 0, softcap = 0, numSplits = 1, numKvHeads = 1 } = shape;
    const scene = kvScene({ ...shape, numKvHeads, blockTokens: shape.blockTokens ?? 16 }, random);
    fillCache(scene, lengths, random);
    const numHeads = numKvHeads * ratio;
    const numRows = lengths.length;
    const [qAt, qStride] = [4, numHeads * headDim + 12];
    const outAt = qAt + numRows * qStride;
    const outEnd = outAt + numRows * numHeads * headDim;
    const partialsAt = outEnd + 8;
    const end = partialsAt + partialFloats({ numRows, numHeads, headDim, numSplits });
    const scratch = nans(end + 8);
    const queries = lengths.map((_, row) => {
      const q = random.normals(numHeads * headDim, 2 / Math.sqrt(headDim));
      scratch.set(q, qAt + row * qStride);
      return q;
    });
    const dispatches = decodeAttention(gpu, scene.stateLayout, scene.layout, {
      numRows,
      numHeads,
      numSplits,
      qAt,
      qStride,
      outAt,
      partialsAt,
      window,
      softcap,
      layerAt: scene.kv.layerAt,
    });
    const result = await runStep({ scratch, kv: scene.kv.words, state: scene.state }, dispatches);
    for (const [row, q] of queries.entries()) {
      const table = scene.tables[row] ?? [];
      const position = (lengths[row] ?? 0) - 1;
      const at = outAt + row * numHeads * headDim;
      assertClose(
        result.scratch.subarray(at, at + numHeads * headDim),
        attentionTwin(q, { kv: scene.kv, table, position, numHeads, window, softcap }),
        tolerance(test, shape),
        `row ${row}, ${lengths[row]} tokens`,
      );
    }
    assertPoison(result.scratch, outEnd, partialsAt);
    assertPoison(result.scratch, end, end + 8);
  });

for (const shape of PREFILL)
  gpuTest(`${name('prefill_attention', shape)} ${shape.numRows} rows from ${shape.start}`, async (test) => {
    const { random, gpu, runStep } = test;
    const { headDim, ratio, start, numRows, window = 0, softcap = 0, numKvHeads = 1 } = shape;
    const lengths = [random.between(1, 40), start + numRows];
    const scene = kvScene({ ...shape, numKvHeads, lengths, blockTokens: shape.blockTokens ?? 16 }, random);
    fillCache(scene, lengths, random);
    const numHeads = numKvHeads * ratio;
    const [qAt, qStride] = [8, numHeads * headDim + 4];
    const outAt = qAt + numRows * qStride;
    const end = outAt + numRows * numHeads * headDim;
    const scratch = nans(end + 8);
    const queries = Array.from({ length: numRows }, (_, row) => {
      const q = random.normals(numHeads * headDim, 2 / Math.sqrt(headDim));
      scratch.set(q, qAt + row * qStride);
      return q;
    });
    const dispatch = prefillAttention(gpu, scene.stateLayout, scene.layout, {
      prefill: { slot: scene.slots[1] ?? 0, startPosition: start },
      numRows,
      numHeads,
      qAt,
      qStride,
      outAt,
      window,
      softcap,
      layerAt: scene.kv.layerAt,
    });
    const result = await runStep({ scratch, kv: scene.kv.words, state: scene.state }, [dispatch]);
    for (const [row, q] of queries.entries()) {
      const at = outAt + row * numHeads * headDim;
      const table = scene.tables[1] ?? [];
      assertClose(
        result.scratch.subarray(at, at + numHeads * headDim),
        attentionTwin(q, { kv: scene.kv, table, position: start + row, numHeads, window, softcap }),
        tolerance(test, shape),
        `row ${row}`,
      );
    }
    assertPoison(result.scratch, end, end + 8);
  });

for (const numSplits of [1, 2, 7, 128])
  gpuTest(`attention_merge ${numSplits} splits`, async ({ gpu, random, runStep }) => {
    const [numRows, numHeads, headDim] = [
      random.between(1, 3),
      random.between(1, 5),
      random.pick([8, 80, 256]),
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

function assertPoison(values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++)
    if (!Number.isNaN(values[i])) throw new Error(`scratch[${i}] outside the outputs became ${values[i]}`);
}
