import { packChunk } from '../../src/kernels/chunk-rows';
import { keyBiasFloats } from '../../src/kernels/key-bias';
import type { KvBits } from '../../src/kernels/kv-layout';
import { ropeAppend } from '../../src/kernels/rope-append';
import { packedVector } from '../../src/weights/packed-tensor';
import { keyBiasTable, randomKeyBias, termsTwin } from '../reference/key-bias';
import { PagedKv } from '../reference/paged-kv';
import { rotateTwin } from '../reference/rope-append';
import { compareToken } from './appended-token';
import { assertClose, assertEqual, type GpuTest, gpuTest } from './harness';
import { type KvScene, kvScene, POISON } from './kv-scene';

interface Shape {
  readonly kvBits: KvBits;
  readonly headDim: number;
  readonly rotaryDim: number;
  readonly interleaved?: boolean;
  readonly norm?: 'before' | 'after';
  readonly blockTokens?: 16 | 32;
  readonly flat?: boolean;
  /** Pairs of K bias that are kept out of the cache. */
  readonly biasPairs?: number;
  readonly growth?: { readonly beta: number; readonly span: number };
}

const SHAPES: readonly Shape[] = [
  { kvBits: 8, headDim: 64, rotaryDim: 64 },
  { kvBits: 8, headDim: 128, rotaryDim: 128, norm: 'before', blockTokens: 32 },
  { kvBits: 8, headDim: 80, rotaryDim: 20, interleaved: true },
  { kvBits: 8, headDim: 8, rotaryDim: 8, flat: true },
  { kvBits: 4, headDim: 8, rotaryDim: 0 },
  { kvBits: 4, headDim: 96, rotaryDim: 48, norm: 'after', blockTokens: 32 },
  { kvBits: 4, headDim: 256, rotaryDim: 256 },
  { kvBits: 16, headDim: 32, rotaryDim: 32, interleaved: true, norm: 'after' },
  { kvBits: 16, headDim: 256, rotaryDim: 128, norm: 'before' },
  { kvBits: 32, headDim: 80, rotaryDim: 80 },
  { kvBits: 32, headDim: 128, rotaryDim: 64, norm: 'before' },
  { kvBits: 16, headDim: 64, rotaryDim: 64, growth: { beta: 0.1, span: 7 } },
  { kvBits: 32, headDim: 32, rotaryDim: 32, growth: { beta: 0.3, span: 16 } },
  { kvBits: 8, headDim: 64, rotaryDim: 64, biasPairs: 4 },
  { kvBits: 16, headDim: 80, rotaryDim: 20, interleaved: true, biasPairs: 16 },
  { kvBits: 32, headDim: 128, rotaryDim: 128, biasPairs: 64, growth: { beta: 0.1, span: 7 } },
  { kvBits: 8, headDim: 32, rotaryDim: 0, biasPairs: 0 },
];

for (const shape of SHAPES)
  gpuTest(nameOf(shape), async (test) => {
    for (let round = 0; round < 2; round++) await checkRopeAppend(test, shape);
  });

function nameOf({ kvBits, headDim, norm, biasPairs }: Shape): string {
  return `rope_append kv${kvBits} d${headDim} ${norm ?? 'plain'}${biasPairs === undefined ? '' : ` bias ${biasPairs}`}`;
}

async function checkRopeAppend({ gpu, random, runStep }: GpuTest, shape: Shape): Promise<void> {
  const { headDim, rotaryDim, kvBits } = shape;
  const [numKvHeads, numRows] = [random.between(1, 3), random.between(1, 7)];
  const numHeads = numKvHeads * random.between(1, 3);
  const lengths = [random.between(numRows, 50)];
  const { interleaved = false, biasPairs: numPairs } = shape;
  const heads = { numKvHeads, numHeads, headDim, rotaryDim, interleaved };
  const bias = numPairs === undefined ? null : randomKeyBias(random, { ...heads, numPairs }, 30);
  const biasTable = bias ? keyBiasTable(bias) : new Uint32Array(0);
  const scene = kvScene(
    {
      numKvHeads,
      headDim,
      kvBits,
      blockTokens: shape.blockTokens ?? 16,
      lengths,
      rotaryDim,
      numRopeTables: 2,
      keyBiasWords: biasTable.length,
    },
    random,
  );
  const { state, stateLayout } = scene;
  const floats = new Float32Array(state.buffer, 4 * stateLayout.ropeAt, 2 * stateLayout.ropeTableWords);
  floats.set(floats.map(() => random.normal()));
  state.set(biasTable, stateLayout.keyBiasAt);
  const vector = packedVector('norm', headDim);
  const [q, k] = [
    { ...vector, slab: 0, byteOffset: 256 },
    { ...vector, slab: 0, byteOffset: 256 + 1024 },
  ];
  const weights = random.normals((256 + 2048) / 4);
  const start = (lengths[0] ?? 0) - numRows;
  const qkvAt = 8;
  const rows = { slot: scene.slots[0] ?? 0, startPosition: start, tokenIds: new Uint32Array(numRows) };
  state.set(packChunk([{ ...rows, sample: false }]).rows, stateLayout.chunkAt);
  const stride = (numHeads + 2 * numKvHeads) * headDim;
  const qkv = random.normals(numRows * stride, 3);
  if (shape.flat) qkv.fill(0.3);
  const termsAt = qkvAt + qkv.length + 8;
  const termsStride = keyBiasFloats(numHeads, numPairs ?? 0) + 4;
  const scratch = new Float32Array(termsAt + numRows * termsStride).fill(7);
  scratch.set(qkv, qkvAt);
  const eps = 1e-3;
  const dispatch = ropeAppend(gpu, stateLayout, scene.layout, {
    numRows,
    qkvAt,
    numHeads,
    rope: rotaryDim === 0 ? null : { table: 1, rotaryDim, interleaved },
    qkNorm: shape.norm ? { q, k, eps, when: shape.norm } : undefined,
    queryScale: 0.25,
    queryGrowth: shape.growth ?? null,
    keyBias: bias && { tableAt: stateLayout.keyBiasAt, numPairs: bias.layer.numPairs, termsAt, termsStride },
    layerAt: scene.kv.layerAt,
  });
  const result = await runStep(
    { weights: new Uint32Array(weights.buffer), scratch, kv: scene.kv.words, state },
    [dispatch],
  );
  const expected = scratch.slice(0, termsAt);
  const terms = scratch.slice(termsAt);
  const got = new PagedKv(scene.layout, result.kv.slice(0, scene.kv.words.length), scene.kv.layerAt);
  for (let row = 0; row < numRows; row++) {
    const position = start + row;
    const [table = []] = scene.tables;
    const { beta, span } = shape.growth ?? { beta: 0, span: 1 };
    const queryScale = 0.25 * (1 + beta * Math.log(1 + Math.floor(position / span)));
    const anglesAt = stateLayout.ropeTableWords + position * rotaryDim;
    for (let head = 0; head < numHeads + 2 * numKvHeads; head++) {
      const at = row * stride + head * headDim;
      const isKey = head >= numHeads && head < numHeads + numKvHeads;
      const kept = isKey ? bias?.layer.values.subarray((head - numHeads) * headDim) : undefined;
      const x = qkv.subarray(at, at + headDim).map((value, d) => value - (kept?.[d] ?? 0));
      const weightAt = (head < numHeads ? q : k).byteOffset / 4;
      const norm = shape.norm && {
        weight: weights.subarray(weightAt, weightAt + headDim),
        eps,
        when: shape.norm,
      };
      const angles = floats.subarray(anglesAt, anglesAt + rotaryDim);
      const rotated = { rotaryDim, interleaved, angles, norm: norm ?? null };
      const y = head < numHeads + numKvHeads ? rotateTwin(x, rotated) : Array.from(x);
      if (head < numHeads) {
        const scaled = y.map((value) => queryScale * value);
        expected.set(scaled, qkvAt + at);
        if (bias)
          terms.set(
            termsTwin(bias, Math.floor((head * numKvHeads) / numHeads), scaled),
            row * termsStride + head * 2 * bias.layer.numPairs,
          );
      } else compareToken(scene, got, table, (head - numHeads) % numKvHeads, isKey ? 'k' : 'v', position, y);
    }
  }
  // A sum of a few hundred rounded squares, a reciprocal root, four rounded products: about ten ulps.
  assertClose(result.scratch.subarray(0, expected.length), expected, { rel: 2e-6 }, 'scratch');
  assertClose(result.scratch.subarray(termsAt), terms, { rel: 4e-6 }, 'terms of the bias');
  assertUntouched(scene, got.words);
}

/** Every word that the twin left as poison still is. */
function assertUntouched(scene: KvScene, words: Uint32Array): void {
  const touched = words.findIndex((word, i) => scene.kv.words[i] === POISON && word !== POISON);
  assertEqual(touched, -1, 'first word written outside the appended tokens');
}
