import type { Dispatch } from '../../src/gpu/dispatch';
import { type DecodeAttentionCall, decodeAttention, partialFloats } from '../../src/kernels/decode-attention';
import {
  alikeAttentions,
  attentionWords,
  decodeLayers,
  plainPlace,
  residentDefines,
} from '../../src/kernels/decode-layers';
import { integerFloats, integerGroupCols } from '../../src/kernels/integer-rows';
import type { KvBits } from '../../src/kernels/kv-layout';
import type { LinearCall } from '../../src/kernels/linear-call';
import { type PlacedTensor, packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { attentionTwin } from '../reference/attention';
import { integerRowValues } from '../reference/integer-rows';
import { PagedKv } from '../reference/paged-kv';
import { type HeadTwin, rotateTwin } from '../reference/rope-append';
import { compareToken } from './appended-token';
import { type BiasSceneShape, biasScene } from './bias-scene';
import { assertClose, assertEqual, type GpuTest, gpuTest, nans } from './harness';
import { fillCache, type KvScene, kvScene, POISON } from './kv-scene';
import { residentTestTile } from './resident-tile';

interface Shape extends BiasSceneShape {
  readonly kvBits: KvBits;
  readonly blockTokens: 16 | 32;
  readonly norm?: 'before' | 'after';
  readonly growth?: { readonly beta: number; readonly span: number };
}

interface Run {
  /** Tokens of each row. */
  readonly lengths: readonly number[];
  readonly numSplits: number;
  readonly window: number;
}

const run = (lengths: readonly number[], numSplits = 1, window = 0): Run => ({ lengths, numSplits, window });

// Few shapes with several runs each: compiling takes most of the time on a software GPU.
const SHAPES: readonly (readonly [Shape, ...Run[]])[] = [
  [
    { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, blockTokens: 16, rotaryDim: 64, interleaved: false },
    run([1, 16, 17, 150]),
    run([10, 90, 170], 1, 37),
    run([63, 64, 65, 128]),
  ],
  [
    {
      ...{ kvBits: 8, headDim: 128, ratio: 6, numKvHeads: 2, blockTokens: 32 },
      ...{ rotaryDim: 128, interleaved: false, norm: 'before' },
    },
    run([31, 200], 5),
    run([64, 65, 1], 2),
    run([130, 40], 2, 33),
  ],
  [
    { kvBits: 8, headDim: 80, ratio: 1, numKvHeads: 3, blockTokens: 16, rotaryDim: 20, interleaved: true },
    run([33, 129]),
    run([70], 1, 1),
  ],
  [{ kvBits: 8, headDim: 256, ratio: 8, numKvHeads: 1, blockTokens: 16, softcap: 3 }, run([70, 5])],
  [
    { kvBits: 8, headDim: 32, ratio: 12, numKvHeads: 2, blockTokens: 16, rotaryDim: 32, norm: 'after' },
    run([40, 3], 5),
  ],
  [
    { kvBits: 8, headDim: 8, ratio: 4, numKvHeads: 1, blockTokens: 16, growth: { beta: 0.1, span: 7 } },
    run([5, 100]),
  ],
  [{ kvBits: 4, headDim: 96, ratio: 2, numKvHeads: 1, blockTokens: 32, rotaryDim: 48 }, run([15, 66])],
  [{ kvBits: 4, headDim: 8, ratio: 3, numKvHeads: 2, blockTokens: 16 }, run([20, 21, 99], 2)],
  [
    {
      ...{ kvBits: 16, headDim: 80, ratio: 6, numKvHeads: 2, blockTokens: 32 },
      ...{ rotaryDim: 80, interleaved: true, norm: 'after' },
    },
    run([130, 3], 1, 16),
  ],
  [
    { kvBits: 32, headDim: 64, ratio: 2, numKvHeads: 4, blockTokens: 16, rotaryDim: 32, norm: 'before' },
    run([7, 80], 5),
  ],
  [
    { kvBits: 8, headDim: 64, ratio: 7, numKvHeads: 2, blockTokens: 16, biasPairs: 4 },
    run([1, 16, 17, 150]),
    run([10, 90, 170], 1, 37),
    run([65, 130], 2),
  ],
  [
    { kvBits: 8, headDim: 32, ratio: 12, numKvHeads: 3, blockTokens: 32, biasPairs: 8, rotaryDim: 16 },
    run([31, 140], 5),
  ],
  [
    {
      ...{ kvBits: 16, headDim: 80, ratio: 2, numKvHeads: 2, blockTokens: 16 },
      ...{ biasPairs: 16, rotaryDim: 20, softcap: 3, growth: { beta: 0.3, span: 16 } },
    },
    run([70, 5]),
  ],
];

for (const [i, [shape, ...runs]] of SHAPES.entries()) {
  gpuTest(nameOf(shape), async (test) => {
    for (const each of runs) await checkDecode(test, shape, each);
  });
  // The same functions, on other workgroups: some shapes show that.
  if (i % 3 !== 1) continue;
  gpuTest(`${nameOf(shape)}, and work of its neighbours`, async (test) => {
    for (const each of runs) await checkDecode(test, shape, each, 'neighbours');
  });
  if (!shape.norm)
    gpuTest(`decode_layers of unlike layers, ${nameOf(shape)}`, async (test) => {
      for (const { lengths, numSplits, window } of runs.slice(0, 1))
        await checkDecode(test, shape, run([test.random.pick(lengths)], numSplits, window), 'unlike layers');
    });
  gpuTest(`decode_layers, ${nameOf(shape)}`, async (test) => {
    for (const { lengths, numSplits, window } of runs.slice(0, 2))
      await checkDecode(test, shape, run([test.random.pick(lengths)], numSplits, window), 'layers');
  });
}

function nameOf({ kvBits, headDim, ratio, blockTokens, biasPairs, norm }: Shape): string {
  const more = `${norm ? ` norm ${norm}` : ''}${biasPairs ? ` bias ${biasPairs}` : ''}`;
  return `decode_attention kv${kvBits} d${headDim} ratio ${ratio} T${blockTokens}${more}`;
}

/** The linear that takes the output; null: it has to prepare that itself. */
function outputWeight({ gpu, random }: GpuTest, { headDim, numKvHeads, ratio }: Shape): PlacedTensor | null {
  const sizes = ([32, 64, 128] as const).filter(
    (size) => headDim % size === 0 && 8 * gpu.subgroupSize >= size,
  );
  if (sizes.length === 0) return null;
  const format = random.pick(['w4', 'w8'] as const);
  const packed = packedLinear('o', format, 8, numKvHeads * ratio * headDim, random.pick(sizes));
  return { ...packed, slab: 0, byteOffset: 0 };
}

/** That which left the heads. */
function headsCall({ numRows, qkvAt }: DecodeAttentionCall, rowFloats: number, hasBias: boolean): LinearCall {
  const weight = { ...packedLinear('qkv', 'w4', rowFloats, 64), slab: 0, byteOffset: 0 };
  const bias = { ...packedVector('bias', rowFloats), slab: 0, byteOffset: BIAS_AT };
  return { weight, numRows, inAt: 0, outAt: qkvAt, ...(hasBias ? { bias } : {}) };
}

/** Softmax scale of queries of size 3, so that scores spread over a few units. */
const queryScale = ({ headDim }: Shape) => 0.7 / Math.sqrt(headDim);
const NORM_EPS = 1e-3;
/** Byte of the weights where the bias of q‖k‖v lies. */
const BIAS_AT = 256 + 2048;

/**
 * As a phase of decode_layers, whose workgroups take the parts in turn. With `others`: in a program for layers that have more
 * than this one.
 */
function residentAttention(
  { gpu }: GpuTest,
  scene: KvScene,
  call: DecodeAttentionCall,
  others: readonly DecodeAttentionCall[],
): Dispatch[] {
  const tile = residentTestTile(gpu);
  const { stateLayout: states, state, layout } = scene;
  const phase = {
    call,
    qkv: plainPlace(call.qkvAt),
    // Scratch is poison with a tag of 0.
    partials: { ...plainPlace(call.partialsAt), tag: 1 },
    out: plainPlace(call.outAt),
  };
  state.set(attentionWords(states, phase), states.planAt);
  const [widest = call] = alikeAttentions([call, ...others]);
  const defines = residentDefines(gpu, states, layout, widest, tile);
  const { numSplits } = call;
  const { planAt, failedAt } = states;
  return [
    decodeLayers(
      gpu,
      { defines, gate: 'silu', maxCols: 32, maxSplits: 8, planAt, first: 0, end: 1, numSplits, failedAt },
      tile,
    ),
  ];
}

async function checkDecode(
  test: GpuTest,
  shape: Shape,
  { lengths, numSplits, window }: Run,
  kernel: 'apart' | 'neighbours' | 'layers' | 'unlike layers' = 'apart',
): Promise<void> {
  const { random, gpu, runStep } = test;
  const { headDim, ratio, numKvHeads, softcap = 0, growth } = shape;
  const [numHeads, numRows] = [numKvHeads * ratio, lengths.length];
  const interleaved = shape.interleaved ?? random.below(2) === 0;
  const bias = biasScene({ ...shape, interleaved }, random);
  const rotaryDim = shape.rotaryDim ?? (bias ? headDim : 0);
  const scene = kvScene({ ...shape, rotaryDim, numRopeTables: 2, ...bias?.state, lengths }, random);
  const { state, stateLayout } = scene;
  const angles = new Float32Array(
    state.buffer,
    4 * (stateLayout.ropeAt + stateLayout.ropeTableWords),
    stateLayout.ropeTableWords,
  );
  angles.set(angles.map(() => random.normal()));
  const keyBias = bias?.fillState(scene) ?? null;
  const before = lengths.map((length) => length - 1);
  fillCache(scene, before, random);
  const vector = packedVector('norm', headDim);
  const [q, k] = [256, 256 + 1024].map((byteOffset) => ({ ...vector, slab: 0, byteOffset }));
  if (!q || !k) throw new Error('two norms');
  const weights = random.normals(BIAS_AT / 4 + (numKvHeads * ratio + 2 * numKvHeads) * headDim);

  const rowFloats = (numHeads + 2 * numKvHeads) * headDim;
  const qkvAt = 4;
  const numParts = kernel === 'neighbours' ? random.between(2, 6) : 1;
  const outAt = qkvAt + numParts * numRows * rowFloats + 4;
  const outEnd = outAt + numRows * numHeads * headDim;
  const partialsAt = outEnd + 8;
  const preparedAt = partialsAt + partialFloats({ numRows, numHeads, headDim, numSplits });
  const output = kernel === 'neighbours' ? outputWeight(test, shape) : null;
  const planeRows = numRows + random.below(8);
  const end = preparedAt + (output ? planeRows * integerFloats(output.cols) : 0);
  const scratch = nans(end + 8);
  const isQuery = (i: number) => i % rowFloats < numHeads * headDim;
  // Of the same size together, however many parts there are.
  const size = 1 / Math.sqrt(numParts);
  const normals = () => random.normals(numRows * rowFloats).map((x, i) => size * (isQuery(i) ? 3 * x : x));
  const parts = Array.from({ length: numParts }, normals);
  for (const [i, part] of parts.entries()) scratch.set(part, qkvAt + i * numRows * rowFloats);
  const qkvBias = weights.subarray(BIAS_AT / 4);
  const hasBias = numParts > 1 && random.below(2) === 0;
  const qkv = Float32Array.from({ length: numRows * rowFloats }, (_, i) =>
    [...parts.map((part) => part[i] ?? 0), hasBias ? (qkvBias[i % rowFloats] ?? 0) : 0].reduce((a, b) =>
      Math.fround(a + b),
    ),
  );
  const call: DecodeAttentionCall = {
    ...{ numRows, numHeads, numSplits, qkvAt, outAt, partialsAt, window, softcap, keyBias },
    rope: rotaryDim === 0 ? null : { table: 1, rotaryDim, interleaved },
    qkNorm: shape.norm ? { q, k, eps: NORM_EPS, when: shape.norm } : undefined,
    queryScale: queryScale(shape),
    queryGrowth: growth ?? null,
    layerAt: scene.kv.layerAt,
  };
  const other: DecodeAttentionCall = {
    ...call,
    rope: { table: 0, rotaryDim: headDim, interleaved: false },
    keyBias: { tableAt: 0, numPairs: 8, termsAt: 0, termsStride: 0 },
  };
  const dispatches =
    kernel === 'apart'
      ? decodeAttention(gpu, stateLayout, scene.layout, call)
      : kernel === 'neighbours'
        ? decodeAttention(gpu, stateLayout, scene.layout, call, {
            sums: { call: headsCall(call, rowFloats, hasBias), partsAt: qkvAt, parts: numParts },
            prepares: output && { weight: output, rowsAt: preparedAt, planeRows },
          })
        : residentAttention(test, scene, call, kernel === 'layers' ? [] : [other]);
  const memory = { weights: new Uint32Array(weights.buffer), scratch, kv: scene.kv.words, state };
  const result = await runStep(memory, dispatches);

  const got = new PagedKv(scene.layout, result.kv.slice(0, scene.kv.words.length), scene.kv.layerAt);
  const rotated = (head: number, row: number): number[] => {
    const position = before[row] ?? 0;
    const at = row * rowFloats + head * headDim;
    const kvHead = head - numHeads;
    const kept = kvHead >= 0 ? bias?.values.subarray(kvHead * headDim) : undefined;
    const x = qkv.subarray(at, at + headDim).map((value, d) => value - (kept?.[d] ?? 0));
    const weightAt = (head < numHeads ? q : k).byteOffset / 4;
    const norm: HeadTwin['norm'] = shape.norm
      ? { weight: weights.subarray(weightAt, weightAt + headDim), eps: NORM_EPS, when: shape.norm }
      : null;
    const mine = angles.subarray(position * rotaryDim, (position + 1) * rotaryDim);
    return rotateTwin(x, { rotaryDim, interleaved, angles: mine, norm });
  };
  for (const [row, position] of before.entries())
    for (let head = 0; head < numKvHeads; head++) {
      const table = scene.tables[row] ?? [];
      const at = row * rowFloats + (numHeads + numKvHeads + head) * headDim;
      compareToken(scene, got, table, head, 'k', position, rotated(numHeads + head, row));
      compareToken(scene, got, table, head, 'v', position, Array.from(qkv.subarray(at, at + headDim)));
    }
  const touched = got.words.findIndex((word, i) => scene.kv.words[i] === POISON && word !== POISON);
  assertEqual(touched, -1, 'first word written outside the appended tokens');

  const isPrepared = output !== null;
  const outputs = output
    ? integerRowValues({
        words: new Uint32Array(result.scratch.buffer.slice(preparedAt * 4, end * 4)),
        ...{ bits: output.format === 'w4' ? 4 : 8, numRows, planeRows, paddedCols: output.paddedCols },
        groupCols: integerGroupCols(output),
      }).values
    : result.scratch.subarray(outAt, outEnd);
  for (const [row, position] of before.entries()) {
    const { beta, span } = growth ?? { beta: 0, span: 1 };
    const scale = queryScale(shape) * (1 + beta * Math.log(1 + Math.floor(position / span)));
    const queries = Array.from({ length: numHeads }, (_, head) => rotated(head, row).map((x) => x * scale));
    const rowOutputs = outputs.length / numRows;
    assertClose(
      outputs.slice(row * rowOutputs, row * rowOutputs + numHeads * headDim),
      attentionTwin(queries.flat(), {
        ...{ kv: got, table: scene.tables[row] ?? [], position, numHeads, window, softcap },
        ...bias?.twin(scene),
      }),
      { rel: tolerance(test, shape) + (isPrepared ? 2 ** -16 : 0) },
      `${numSplits} splits, window ${window}, row ${row} of ${lengths[row]} tokens`,
    );
  }
  if (isPrepared) assertPoison(result.scratch, outAt, outEnd);
  assertPoison(result.scratch, outEnd, partialsAt);
  assertPoison(result.scratch, end, end + 8);
}

/**
 * f32: sums of some hundred products and the folded offset, whose terms are several times larger than their sum.
 * f16: queries rounded by 2^-11 shift scores of about 2 by about 2e-3, and probabilities by as much.
 */
function tolerance(test: GpuTest, shape: Shape): number {
  return test.f16 && shape.kvBits < 16 ? 5e-3 : 1e-5;
}

function assertPoison(values: Float32Array, from: number, to: number): void {
  for (let i = from; i < to; i++)
    if (!Number.isNaN(values[i])) throw new Error(`scratch[${i}] outside the outputs became ${values[i]}`);
}
