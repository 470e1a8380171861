import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ChunkPart } from '../kernels/chunk-rows';
import type { DecodeAttentionCall } from '../kernels/decode-attention';
import type { KeyBiasCall } from '../kernels/key-bias';
import type { KvLayout } from '../kernels/kv-layout';
import type { LinearCall } from '../kernels/linear-call';
import type { PartSums } from '../kernels/part-sums';
import type { StateLayout } from '../kernels/step-state';
import type { ModelConfig } from '../models/config';
import type { PlacedTensor, PlacedTensors } from '../weights/packed-tensor';

/** f32 [rows][stride] in scratch; `at` in floats. */
export interface Region {
  readonly at: number;
  readonly stride: number;
}

/** The activations of one step. They hold `maxRows` rows each; logits hold `maxLogitRows`. */
export interface ScratchRegions {
  /** Residual stream [rows][hiddenSize]. */
  readonly hidden: Region;
  /** [rows][(numHeads + 2 numKvHeads) · headDim] */
  readonly qkv: Region;
  /** [rows][numHeads · headDim] */
  readonly attended: Region;
  /** What a block adds to the residual stream, before its norm [rows][hiddenSize] */
  readonly branch: Region;
  /** MLP inner [rows][intermediateSize] */
  readonly inner: Region;
  /** Input of a linear whose columns are in an order of their own [rows][the widest of them]; empty without any. */
  readonly permuted: Region;
  /** Input of a linear on the matrix units as these take it, [rows][the widest of them]. */
  readonly prepared: Region;
  /** Input of a linear of several rows in integers [MAX_STAGED_ROWS][the widest of them]. */
  readonly staged: Region;
  /** [logit rows][vocabSize rounded up to 4] */
  readonly logits: Region;
  /** Logits that penalties have changed: the second half of the region of logits, which sampled steps leave free. */
  readonly adjusted: Region;
  /** Partial results of split attention. */
  readonly partials: Region;
  /** What each query makes of the K bias that is not in the cache [rows][numHeads · pairs · 2]; empty without any. */
  readonly keyBias: Region;
  /** What workgroups of one dispatch hand to each other (decode_layers.wgsl). */
  readonly exchange: Region;
}

/** The packed weights by our names. */
export class WeightTable {
  readonly #tensors: PlacedTensors;

  constructor(tensors: PlacedTensors) {
    this.#tensors = tensors;
  }

  get(name: string): PlacedTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor)
      throw new TabmindError('internal', `the model asks for weight "${name}", which was not loaded`);
    return tensor;
  }

  find(name: string): PlacedTensor | undefined {
    return this.#tensors.get(name);
  }
}

export interface ContextChunk {
  readonly numRows: number;
  /** Of each prompt that has rows in it. */
  readonly parts: readonly ChunkPart[];
}

/** Takes what layers compute where one dispatch computes all of them. */
export interface PhaseSink {
  linear(call: LinearCall): void;
  /** `slab`: of the norms of its heads; null without any. */
  attention(call: DecodeAttentionCall, slab: number | null, layer: number): void;
}

/** Where the dispatches of a step go, one after another. */
export interface DispatchSink {
  /** Appends dispatches that read weight slab `slab` and, where given, the KV of `layer`. */
  push(dispatches: readonly Dispatch[], slab: number, layer?: number): void;
  /** Leaves sums over parts of K to what comes next: whoever takes them also finishes them, and if nobody does, sum_parts comes first. */
  leaveSums(sums: PartSums): void;
  /** Those left right before, if they are wanted: who takes them finishes them. */
  takeSums(wanted: (sums: PartSums) => boolean): PartSums | null;
}

/** What layers see of a step: where things lie, how many rows there are, and where to put the dispatches. */
export interface ForwardContext extends DispatchSink {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly state: StateLayout;
  readonly kv: KvLayout;
  readonly weights: WeightTable;
  readonly scratch: ScratchRegions;
  /** Rows of the chunk, and behind them the decode rows. */
  readonly numRows: number;
  /** What the first rows are a chunk of; null: all are decode rows. */
  readonly chunk: ContextChunk | null;
  readonly numDecodeRows: number;
  /** Parts that decode attention cuts a context into. */
  readonly numSplits: number;
  /** Word offset of a layer's blocks in its KV slab. */
  layerAt(layer: number): number;
  /** What a layer keeps out of its K cache; null: nothing. */
  keyBias(layer: number): KeyBiasCall | null;
  /** Rope table for the rows of the chunk or for the decode rows, of a rope of the config. */
  ropeTable(rope: number, rows: 'chunk' | 'decode'): number;
  /** Where linears and attentions of a decode row go; null: each is dispatched. */
  readonly phases: PhaseSink | null;
}
