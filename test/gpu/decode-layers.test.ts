import {
  decodeLayers,
  EMPTY_WORD,
  exchangePlace,
  linearWords,
  plainPlace,
  residentDefines,
} from '../../src/kernels/decode-layers';
import type { LinearCall } from '../../src/kernels/linear-call';
import { PHASE_WORDS, stateLayout } from '../../src/kernels/step-state';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { linearTwin } from '../reference/linear';
import { randomPacked } from '../reference/packed';
import { assertClose, assertEqual, type GpuTest, gpuTest } from './harness';
import { kvScene } from './kv-scene';
import { Slab } from './linear-case';
import { residentTestTile } from './resident-tile';

interface Mlp {
  readonly hidden: number;
  readonly inner: number;
  readonly groupSize: number;
  readonly numLayers: number;
  readonly bias: boolean;
}

/** Multiples of 32 that no number of threads divides, so that workgroups have unlike shares. */
function randomMlp({ random }: GpuTest): Mlp {
  return {
    hidden: 32 * random.between(1, 9),
    inner: 32 * random.between(1, 13),
    groupSize: random.pick([32, 64, 128]),
    // One exchanged content less than layers, and at least two.
    numLayers: random.between(3, 6),
    bias: random.below(2) === 1,
  };
}

interface Buffer {
  readonly at: number;
  readonly length: number;
  numUses: number;
}

/** Layers of gate ‖ up and down, each adding to the residual stream, whose activations go from workgroup to workgroup. */
function mlpCase(test: GpuTest, { hidden, inner, groupSize, numLayers, bias }: Mlp) {
  const { random, gpu } = test;
  const tile = residentTestTile(gpu);
  const slab = new Slab(random);
  const inAt = 16;
  const outAt = inAt + hidden + 8;
  let end = outAt + hidden + 8;
  const buffer = (length: number): Buffer => {
    const at = end;
    end += 8 * Math.ceil(length / 8);
    return { at, length, numUses: 0 };
  };
  const [innerBuffer, streamBuffer] = [buffer(inner), buffer(hidden)];
  /** The next content of a buffer; its tag is known when all are. */
  const next = (to: Buffer) => {
    const use = to.numUses++;
    return () => exchangePlace(to.at, to.length, use, to.numUses);
  };
  let stream = () => plainPlace(inAt);
  let x: ArrayLike<number> = random.normals(hidden, 2);
  const input = Float32Array.from(x);
  const phases: (() => Uint32Array)[] = [];
  for (let layer = 0; layer < numLayers; layer++) {
    const gain = random.normals(hidden).map((value) => 1 + value / 4);
    const wide = packedLinear('gate_up', 'w4', 2 * inner, hidden, groupSize);
    const narrow = packedLinear('down', 'w4', hidden, inner, groupSize);
    const [wideWords, narrowWords] = [randomPacked(wide, random), randomPacked(narrow, random)];
    const wideBias = random.normals(2 * inner);
    const gateUp: LinearCall = {
      ...{ weight: slab.place(wide, wideWords), numRows: 1, inAt: 0, outAt: 0, gate: 'silu' },
      norm: { weight: slab.place(packedVector('norm', hidden), gain), eps: 1e-5 },
      ...(bias ? { bias: slab.place(packedVector('bias', 2 * inner), wideBias) } : {}),
    };
    const down: LinearCall = {
      ...{ weight: slab.place(narrow, narrowWords), numRows: 1, inAt: 0, outAt: 0 },
      ...{ residualAt: 0, residualScale: 0.5, outScale: 0.75 },
    };
    const [from, middle] = [stream, next(innerBuffer)];
    const isLast = layer === numLayers - 1;
    const to = isLast ? () => plainPlace(outAt) : next(streamBuffer);
    stream = to;
    phases.push(
      () => linearWords({ call: gateUp, x: from(), out: middle(), residual: null }, tile),
      () => linearWords({ call: down, x: middle(), out: to(), residual: from() }, tile),
    );
    const act = linearTwin({
      ...{ weight: gateUp.weight, words: wideWords, x: Float32Array.from(x), numRows: 1, integerCols: 32 },
      ...{ gate: 'silu', norm: { gain, eps: 1e-5 }, ...(bias ? { bias: wideBias } : {}) },
    });
    x = linearTwin({
      ...{ weight: down.weight, words: narrowWords, x: Float32Array.from(act), numRows: 1, integerCols: 32 },
      ...{ residual: Float32Array.from(x), residualScale: 0.5, outScale: 0.75 },
    });
  }
  const scratch = new Float32Array(new Uint32Array(end + 8).fill(EMPTY_WORD).buffer);
  scratch.set(input, inAt);
  return { slab, phases, scratch, outAt, expected: x, tile };
}

async function checkMlp(test: GpuTest, shape: Mlp): Promise<void> {
  const { gpu, random, runStep } = test;
  const { slab, phases, scratch, outAt, expected, tile } = mlpCase(test, shape);
  const scene = kvScene({ numKvHeads: 1, headDim: 8, kvBits: 8, blockTokens: 16, lengths: [3] }, random);
  const states = stateLayout({
    ...{ maxSlots: 16, maxChunkTokens: 128, maxBlocksPerSequence: 16, contextLength: 256 },
    ...{ rotaryDim: 2, numRopeTables: 1, planWords: phases.length * PHASE_WORDS },
  });
  const state = new Uint32Array(states.totalWords);
  state.set(scene.state.subarray(0, scene.stateLayout.planAt));
  for (const [i, words] of phases.entries()) state.set(words(), states.planAt + i * PHASE_WORDS);
  const { planAt, failedAt } = states;
  const attention = {
    ...{ numRows: 1, numHeads: 1, numSplits: 1, qkvAt: 0, outAt: 0, partialsAt: 0, window: 0, softcap: 0 },
    ...{ rope: null, queryScale: 1, layerAt: 0 },
  };
  const common = {
    ...{
      defines: residentDefines(gpu, states, scene.layout, attention, tile),
      gate: 'silu' as const,
      planAt,
      failedAt,
    },
    ...{ maxCols: Math.max(shape.hidden, shape.inner), maxSplits: 8, numSplits: 1 },
  } as const;
  // As where weights lie in several slabs: what one dispatch gives, another takes.
  const cut = random.between(1, phases.length - 1);
  const dispatches = [
    decodeLayers(gpu, { ...common, first: 0, end: cut }, tile),
    decodeLayers(gpu, { ...common, first: cut, end: phases.length }, tile),
  ];
  // The second time, words hold what the first one left.
  const memory = { weights: slab.words(), scratch, kv: scene.kv.words, state };
  const result = await runStep(memory, [...dispatches, ...dispatches]);
  assertEqual(result.state[failedAt], 0, 'sign of failure');
  assertClose(
    result.scratch.subarray(outAt, outAt + shape.hidden),
    expected,
    // Layers behind one another; else as gemv in integers, which the twin rounds as well.
    { rel: 5e-4 },
    JSON.stringify(shape),
  );
}

gpuTest('decode_layers linears', async (test) => {
  for (let i = 0; i < 3; i++) await checkMlp(test, randomMlp(test));
  // One scale a row, whose columns are no power of two.
  await checkMlp(test, { hidden: 96, inner: 160, groupSize: 480, numLayers: 3, bias: false });
  // Fewer outputs than workgroups, and one unit.
  await checkMlp(test, { hidden: 32, inner: 32, groupSize: 32, numLayers: 3, bias: true });
});
