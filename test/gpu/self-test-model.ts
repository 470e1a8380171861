import type { Gpu } from '../../src/gpu/device';
import type { KvBits } from '../../src/model-ref';
import { parseModelConfig } from '../../src/models/registry';
import { readKeyBias } from '../../src/runner/key-bias';
import type { SelfTestRequest } from '../../src/runner/self-test-memory';
import {
  type PackedTensor,
  type PlacedTensor,
  packedLinear,
  packedVector,
} from '../../src/weights/packed-tensor';
import { randomPacked } from '../reference/packed';
import type { Random } from '../reference/random';

/** Of the model that is tested. */
export interface Shape {
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
  /** Columns of the down projection; default 64. */
  readonly intermediate?: number;
  /** What the model adds to the residual stream is normed before. */
  readonly postNorm?: boolean;
  /** Added to some dims of every K head's bias. */
  readonly outlier?: number;
}

/** Runs `use` on two layers with random weights, those of the first in place. */
export async function withModel(
  gpu: Gpu,
  random: Random,
  shape: Shape,
  use: (request: SelfTestRequest) => Promise<void>,
): Promise<void> {
  const { hidden, heads, kvHeads, headDim, weightBits, kvBits, contextLength, intermediate = 64 } = shape;
  const config = parseModelConfig(
    JSON.stringify({
      model_type: shape.modelType ?? 'llama',
      hidden_size: hidden,
      intermediate_size: intermediate,
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
  const format = ({ 4: 'w4', 8: 'w8', 16: 'w16' } as const)[weightBits];
  const qkv = packedLinear('layers.0.qkv', format, rows, hidden, 64);
  const down = packedLinear('layers.0.down', format, hidden, intermediate, 32);
  const [embedSlab, layerSlab] = [new Slab(gpu, 0), new Slab(gpu, 1)];
  const placed = [
    embedSlab.place(table, randomPacked(table, random)),
    layerSlab.place(qkv, randomPacked(qkv, random)),
    layerSlab.place(down, randomPacked(down, random)),
  ];
  const vector = (name: string, cols: number, added: (i: number) => number = () => 0) => {
    const values = random.normals(cols).map((value, i) => 1 + value / 4 + added(i));
    placed.push(layerSlab.place(packedVector(name, cols), new Uint32Array(values.buffer)));
  };
  if (shape.norm !== false) vector('layers.0.input_norm', hidden);
  if (shape.postNorm) vector('layers.0.mlp_post_norm', hidden);
  if (shape.bias) vector('layers.0.down_bias', hidden);
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
