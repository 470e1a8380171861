import { TabmindError } from '../../src/errors';
import { readPieces } from '../../src/gpu/buffer';
import type { Gpu } from '../../src/gpu/device';
import type { KvBits } from '../../src/model-ref';
import { parseModelConfig } from '../../src/models/registry';
import { readKeyBias } from '../../src/runner/key-bias';
import { selfTest } from '../../src/runner/self-test';
import type { SelfTestRequest } from '../../src/runner/self-test-memory';
import {
  type PackedTensor,
  type PlacedTensor,
  packedLinear,
  packedVector,
} from '../../src/weights/packed-tensor';
import { randomPacked } from '../reference/packed';
import type { Random } from '../reference/random';
import { withEdits } from './edited-gpu';
import { assertEqual, gpuTest } from './harness';

interface Shape {
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly weightBits: 4 | 8 | 16;
  readonly kvBits: KvBits;
  readonly contextLength: number;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly modelType?: string;
  readonly bias?: boolean;
  readonly norm?: boolean;
  /** Added to some dims of every K head's bias. */
  readonly outlier?: number;
}

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
    extra: {
      attn_logit_softcapping: 2,
      final_logit_softcapping: 30,
      query_pre_attn_scalar: 32,
      sliding_window: 20,
      hidden_activation: 'gelu_pytorch_tanh',
    },
  },
};

for (const [name, shape] of Object.entries(SHAPES))
  gpuTest(`self-test: passes, ${name}`, async ({ gpu, random }) => {
    for (let round = 0; round < 2; round++) await withModel(gpu, random, shape, selfTest);
  });

gpuTest('self-test: passes with the programs of a large GPU', async ({ gpu, random }) => {
  await withModel({ ...gpu, isSoftware: false }, random, SHAPES['large K bias'] as Shape, selfTest);
});

gpuTest('self-test: finds a weight that the GPU has otherwise', async ({ gpu, random }) => {
  const shape = SHAPES['w4 kv8'] as Shape;
  // pieces: codes and scales of nine tokens, then codes and scales of eight outputs, then norm and bias
  for (const [piece, what] of [
    [0, 'the embedding'],
    [17, 'the embedding'],
    [18, 'a matrix product (prefill)'],
    [33, 'a matrix product (prefill)'],
    [34, 'a matrix product (prefill)'],
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
  /** Processors would do without the program, and GPUs with matrix units. */
  readonly onPlainGpus?: boolean;
}

const PLAIN_GPU = { isSoftware: false, matrices: false, byteMatrices: false };

const FAULTS: Readonly<Record<string, Fault>> = {
  embedding: { edit: ['params.scale *', 'params.scale * 1.001 *'], what: 'the embedding' },
  gemm: { edit: ['finish(row[j]', 'finish(0.9 * row[j]'], what: 'a matrix product (prefill)' },
  gemv: { edit: ['finish(output', 'finish(0.9 * output'], what: 'a matrix-vector product (decode)' },
  gemv_rows: {
    edit: ['hl, scales)', 'hl, 0.9 * scales)'],
    what: 'a matrix product of several rows',
    onPlainGpus: true,
  },
  stage_rows: {
    edit: ['load8(octet * 8u, wg.y)', 'load8(octet * 8u, 0u)'],
    what: 'a matrix product of several rows',
    onPlainGpus: true,
  },
  gemm_integer: {
    edit: ['vec4<f32>(sz.x), y.a)', 'vec4<f32>(0.9 * sz.x), y.a)'],
    what: 'a matrix product of several rows',
    onByteMatrices: true,
  },
  integer_rows: {
    edit: ['x4(row, octet * 8u + 4u)', 'x4(0u, octet * 8u + 4u)'],
    what: 'a matrix product of several rows',
    onByteMatrices: true,
  },
  rope_append: {
    edit: [
      'prepare_head(Head(kind, kv_head, at, 0u, true), position',
      'prepare_head(Head(kind, kv_head, at, 0u, true), position + 1u',
    ],
    what: 'the key-value cache',
  },
  prefill_attention: {
    edit: ['exp(s0 - top.x)', 'exp(0.3 * (s0 - top.x))'],
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
      const broken = fault.onPlainGpus ? { ...edited, ...PLAIN_GPU } : edited;
      const error = await failure(withModel(broken, random, shape, selfTest));
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

async function withModel(
  gpu: Gpu,
  random: Random,
  shape: Shape,
  use: (request: SelfTestRequest) => Promise<void>,
): Promise<void> {
  const { hidden, heads, kvHeads, headDim, weightBits, kvBits, contextLength } = shape;
  const config = parseModelConfig(
    JSON.stringify({
      model_type: shape.modelType ?? 'llama',
      hidden_size: hidden,
      intermediate_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      head_dim: headDim,
      vocab_size: 300,
      max_position_embeddings: 512,
      rms_norm_eps: 1e-5,
      ...shape.extra,
    }),
  );
  const rows = (heads + 2 * kvHeads) * headDim;
  const table = packedLinear('embed', 'w8', config.vocabSize, hidden, 32);
  const qkv = packedLinear(
    'layers.0.qkv',
    ({ 4: 'w4', 8: 'w8', 16: 'w16' } as const)[weightBits],
    rows,
    hidden,
    64,
  );
  const [embedSlab, layerSlab] = [new Slab(gpu, 0), new Slab(gpu, 1)];
  const placed = [
    embedSlab.place(table, randomPacked(table, random)),
    layerSlab.place(qkv, randomPacked(qkv, random)),
  ];
  const vector = (name: string, cols: number, added: (i: number) => number = () => 0) => {
    const values = random.normals(cols).map((value, i) => 1 + value / 4 + added(i));
    placed.push(layerSlab.place(packedVector(name, cols), new Uint32Array(values.buffer)));
  };
  if (shape.norm !== false) vector('layers.0.input_norm', hidden);
  if (shape.bias)
    vector('layers.0.qkv_bias', rows, (row) => {
      const [head, d] = [Math.floor(row / headDim) - heads, row % headDim];
      return shape.outlier && head >= 0 && head < kvHeads && d % 7 === 2 ? shape.outlier : 0;
    });
  try {
    const tensors = new Map(placed.map((tensor) => [tensor.name, tensor]));
    const model = { gpu, config, tensors, slabs: [embedSlab.buffer, layerSlab.buffer], contextLength };
    await use({
      ...model,
      keyBias: await readKeyBias(model),
      kv: { numLayers: 2, numKvHeads: kvHeads, headDim, kvBits, blockTokens: 32, numBlocks: 9 },
      maxSlots: 3,
      maxChunkTokens: Math.min(256, contextLength),
    });
  } finally {
    for (const slab of [embedSlab, layerSlab]) slab.buffer.destroy();
  }
}

/** One buffer of weights. */
class Slab {
  readonly buffer: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #slab: number;
  #end = 256;

  constructor(gpu: Gpu, slab: number) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.buffer = gpu.device.createBuffer({ size: 2 ** 19, usage });
    this.#device = gpu.device;
    this.#slab = slab;
  }

  place(tensor: PackedTensor, words: Uint32Array): PlacedTensor {
    const byteOffset = this.#end;
    this.#device.queue.writeBuffer(this.buffer, byteOffset, words as Uint32Array<ArrayBuffer>);
    this.#end = Math.ceil((byteOffset + tensor.totalBytes) / 256) * 256;
    return { ...tensor, slab: this.#slab, byteOffset };
  }
}
