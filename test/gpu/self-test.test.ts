import { TabmindError } from '../../src/errors';
import { readPieces } from '../../src/gpu/buffer';
import type { Gpu } from '../../src/gpu/device';
import { selfTest } from '../../src/runner/self-test';
import { withEdits } from './edited-gpu';
import { assertEqual, gpuTest } from './harness';
import { type Shape, withModel } from './self-test-model';

const LONG_K: Shape = {
  ...{ hidden: 96, heads: 4, kvHeads: 2, headDim: 32, weightBits: 4, kvBits: 8, contextLength: 256 },
  intermediate: 2048,
};

const SHAPES: Readonly<Record<string, Shape>> = {
  'w4 kv8': { hidden: 96, heads: 4, kvHeads: 2, headDim: 32, weightBits: 4, kvBits: 8, contextLength: 256 },
  'w8 kv4 with bias': {
    hidden: 160,
    heads: 5,
    kvHeads: 1,
    headDim: 64,
    weightBits: 8,
    kvBits: 4,
    contextLength: 7,
    bias: true,
  },
  'large K bias': {
    ...{ hidden: 96, heads: 6, kvHeads: 2, headDim: 32, weightBits: 4, kvBits: 8, contextLength: 256 },
    bias: true,
    outlier: 100,
  },
  'large K bias of neighbours, kv32': {
    ...{ hidden: 64, heads: 2, kvHeads: 2, headDim: 32, weightBits: 4, kvBits: 32, contextLength: 64 },
    modelType: 'glm4',
    bias: true,
    outlier: 100,
  },
  'w16 kv16 without norm': {
    hidden: 64,
    heads: 2,
    kvHeads: 2,
    headDim: 80,
    weightBits: 16,
    kvBits: 16,
    contextLength: 100,
    norm: false,
  },
  'softcap, window, kv32': {
    ...{ hidden: 64, heads: 4, kvHeads: 2, headDim: 32, weightBits: 4, kvBits: 32, contextLength: 64 },
    modelType: 'gemma2',
    postNorm: true,
    extra: {
      attn_logit_softcapping: 2,
      final_logit_softcapping: 30,
      query_pre_attn_scalar: 32,
      sliding_window: 20,
      hidden_activation: 'gelu_pytorch_tanh',
    },
  },
  'w4 with a long K': LONG_K,
  'w4 with a long K, chunks of 100': { ...LONG_K, contextLength: 100 },
  'w4 with a long K, chunks of 8': { ...LONG_K, contextLength: 8 },
  'w8 with a long K, bias, and a norm behind': {
    ...{ hidden: 64, heads: 2, kvHeads: 2, headDim: 32, weightBits: 8, kvBits: 8, contextLength: 128 },
    intermediate: 1000,
    bias: true,
    postNorm: true,
  },
};

const PREFILL = 'a matrix product (prefill)';
const SEVERAL = 'a matrix product of several rows';
const IN_PARTS = 'a matrix product in parts';
const BEHIND_PARTS = 'a matrix product behind one in parts';

for (const [name, shape] of Object.entries(SHAPES))
  gpuTest(`self-test: passes, ${name}`, async ({ gpu, random }) => {
    for (let round = 0; round < 2; round++) await withModel(gpu, random, shape, selfTest);
  });

gpuTest('self-test: passes with the programs of a large GPU', async ({ gpu, random }) => {
  await withModel({ ...gpu, isSoftware: false }, random, SHAPES['large K bias'] as Shape, selfTest);
});

gpuTest('self-test: finds a weight that the GPU has otherwise', async ({ gpu, random }) => {
  const shape = SHAPES['w4 with a long K'] as Shape;
  const product = gpu.byteMatrices && !gpu.matrices ? SEVERAL : PREFILL;
  // pieces: codes and scales of nine tokens, then codes and scales of eight outputs, then norm and bias; on matrix units for
  // bytes then codes and scales of eight outputs of the down projection and its bias, and of the product behind it
  for (const [piece, what] of [
    [0, 'the embedding'],
    [17, 'the embedding'],
    [18, product],
    [33, product],
    [34, product],
    ...(gpu.byteMatrices ? ([36, 51] as const).map((i) => [i, IN_PARTS] as const) : []),
    ...(gpu.byteMatrices ? ([53, 69] as const).map((i) => [i, BEHIND_PARTS] as const) : []),
  ] as const) {
    const readWeights: typeof readPieces = async (device, pieces) => {
      const words = await readPieces(device, pieces);
      const row = words[piece];
      if (row) row.set(row.map((word) => (word ^ 0x3c3c3c3c) >>> 0));
      return words;
    };
    const error = await failure(
      withModel(gpu, random, shape, (request) => selfTest({ ...request, readWeights })),
    );
    assertEqual([error?.code, error?.details.what], ['wrong-arithmetic', what], `piece ${piece}`);
  }
});

/** Changes one thing in a shader, so that it computes something else. */
interface Fault {
  readonly edit: readonly [string, string];
  readonly what: string;
  /** Default: w4 kv8. */
  readonly shape?: string;
  /** Only GPUs with matrix units run the program. */
  readonly onMatrices?: boolean;
  /** Only GPUs with such units for bytes do. */
  readonly onByteMatrices?: boolean;
  /** What the GPU is taken for, because others would do without the program. */
  readonly takenFor?: Partial<Gpu>;
}

const NO_MATRICES = { matrices: false, byteMatrices: false };
/** No processor either. */
const PLAIN_GPU = { ...NO_MATRICES, isSoftware: false };

const FAULTS: Readonly<Record<string, Fault>> = {
  embedding: { edit: ['params.scale *', 'params.scale * 1.001 *'], what: 'the embedding' },
  gemm: { edit: ['finish(row[j]', 'finish(0.9 * row[j]'], what: PREFILL, takenFor: NO_MATRICES },
  gemv: { edit: ['finish(output', 'finish(0.9 * output'], what: 'a matrix-vector product (decode)' },
  gemv_rows: {
    edit: ['hl, scales)', 'hl, 0.9 * scales)'],
    what: SEVERAL,
    takenFor: PLAIN_GPU,
  },
  stage_rows: {
    edit: ['load8(octet * 8u, wg.y)', 'load8(octet * 8u, 0u)'],
    what: SEVERAL,
    takenFor: PLAIN_GPU,
  },
  gemm_integer: {
    edit: ['vec4<f32>(sz.x), sum.f0)', 'vec4<f32>(0.9 * sz.x), sum.f0)'],
    what: SEVERAL,
    onByteMatrices: true,
  },
  integer_rows: {
    edit: ['x4(row, octet * 8u + 4u)', 'x4(0u, octet * 8u + 4u)'],
    what: SEVERAL,
    onByteMatrices: true,
  },
  sum_parts: {
    edit: ['var part = 0u;', 'var part = 4u;'],
    what: IN_PARTS,
    shape: 'w8 with a long K, bias, and a norm behind',
    onByteMatrices: true,
  },
  sum_integer_rows: {
    edit: ['squares_of(y0)', '0.5 * squares_of(y0)'],
    what: BEHIND_PARTS,
    shape: 'w4 with a long K, chunks of 100',
    onByteMatrices: true,
  },
  sum_few_rows: {
    edit: ['squares_of(y)', '0.5 * squares_of(y)'],
    what: BEHIND_PARTS,
    shape: 'w4 with a long K, chunks of 8',
    onByteMatrices: true,
  },
  gemm_matrix: {
    edit: ['finish(finished(cell)', 'finish(0.9 * finished(cell)'],
    what: PREFILL,
    onMatrices: true,
  },
  halve: {
    edit: ['normed_octet(row, octet, inverse)', 'normed_octet(0u, octet, inverse)'],
    what: PREFILL,
    onMatrices: true,
  },
  rope_append: {
    edit: [
      'prepare_head(Head(kind, kv_head, at, 0u, true), position',
      'prepare_head(Head(kind, kv_head, at, 0u, true), position + 1u',
    ],
    what: 'the key-value cache',
  },
  prefill_attention: {
    edit: ['exp(s - top)', 'exp(0.3 * (s - top))'],
    what: 'attention (prefill)',
    shape: 'large K bias',
  },
  prefill_matrix: {
    edit: ['exp(s - top)', 'exp(0.3 * (s - top))'],
    what: 'attention (prefill)',
    onMatrices: true,
  },
  decode_attention: {
    edit: ['cells[i] = value;', 'cells[i] = 1.3 * value + vec4<f32>(0.01);'],
    what: 'attention (decode)',
  },
};

for (const [kernel, fault] of Object.entries(FAULTS))
  gpuTest(
    `self-test: finds a wrong ${kernel}`,
    async ({ gpu, random }) => {
      const shape = SHAPES[fault.shape ?? 'w4 kv8'] as Shape;
      const edited = withEdits(gpu, kernel, [fault.edit]);
      const error = await failure(withModel({ ...edited, ...fault.takenFor }, random, shape, selfTest));
      assertEqual([error?.code, error?.details.what], ['wrong-arithmetic', fault.what]);
    },
    ({ matrices, byteMatrices }) =>
      (matrices || !fault.onMatrices) && (byteMatrices || !fault.onByteMatrices),
  );

async function failure(work: Promise<void>): Promise<TabmindError | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    if (thrown instanceof TabmindError) return thrown;
    throw thrown;
  }
}
