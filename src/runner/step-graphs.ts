import { TabmindError } from '../errors';
import { copyBlock } from '../kernels/copy-block';
import { prefillSplits } from '../kernels/prefill-attention';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import type { BlockCopy } from '../kvcache/block-allocator';
import type { KvPool } from '../kvcache/kv-pool';
import type { ForwardContext } from '../layers/forward-context';
import { lmHead } from '../layers/lm-head';
import { type Graph, GraphBuilder, inParts, joined, type TakePart } from './graph';
import {
  type Asks,
  type Chunk,
  type DecodePart,
  NO_ASKS,
  numSplits,
  type StepParts,
  type StepShapes,
  sampleStep,
  stepContext,
  stepsOf,
} from './step-forward';

/** The same with the buffers. */
export interface GraphParts extends StepParts {
  readonly slabs: readonly GPUBuffer[];
  readonly pool: KvPool;
  readonly scratch: GPUBuffer;
  readonly state: GPUBuffer;
}

/** Embedding and layers of a decode step of one row. */
export interface DecodeLayers {
  push(builder: GraphBuilder, numSplits: number): void;
}

/**
 * Graphs that are kept, each of about a hundred kB. To put one together takes two milliseconds and more, longer than the GPU needs
 * for many a step (test/bench/NOTES.md, 39).
 */
const MAX_GRAPHS = 128;

/** The dispatches of every kind of step. They are kept, for they depend on the shape of the step only. */
export class StepGraphs {
  readonly #parts: GraphParts;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  /** By the shape of the step; the one not used for longest comes first. */
  readonly #kept = new Map<string, Graph>();
  /** Rotary pairs that layers keep out of the cache, without repetition: attention of a chunk is cut by whether there are any. */
  readonly #biasPairs: readonly number[];
  #layers: DecodeLayers | null = null;

  constructor(parts: GraphParts) {
    this.#parts = parts;
    const { config, keyBias, layout, regions } = parts;
    const layers = Array.from({ length: config.numLayers }, (_, layer) => layer);
    const pairs = layers.map((layer) => keyBias.call(layer, layout, regions.keyBias)?.numPairs ?? 0);
    this.#biasPairs = [...new Set(pairs)];
  }

  /** Requests the pipelines of steps of these shapes; nothing waits for them. */
  request(shapes: StepShapes): void {
    for (const [chunk, decode] of stepsOf(shapes)) this.requestStep(chunk, decode);
  }

  /** The same of one step. */
  requestStep(chunk: Chunk | null, decode: DecodePart | null): void {
    // Of the chunks that are compiled ahead, few will come with just that length.
    if (chunk === null) this.step(null, decode);
    else this.#build(chunk, decode, null);
  }

  /**
   * One pass over the weights for a chunk, decode rows, or both. It goes to `takePart` in parts, while those behind them are put
   * together or recorded, and the last of them is returned.
   */
  step(chunk: Chunk | null, decode: DecodePart | null, takePart: TakePart | null = null): Graph {
    const key = this.#keyOf(chunk, decode);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#keep(key, kept);
      return takePart === null ? kept : inParts(kept, takePart);
    }
    if (takePart === null) {
      const whole = this.#build(chunk, decode, null);
      this.#keep(key, whole);
      return whole;
    }
    const parts: Graph[] = [];
    const last = this.#build(chunk, decode, (part) => {
      parts.push(part);
      takePart(part);
    });
    this.#keep(key, joined([...parts, last]));
    return last;
  }

  #keep(key: string, graph: Graph): void {
    this.#kept.delete(key);
    this.#kept.set(key, graph);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_GRAPHS && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** All that the dispatches of a step follow from. */
  #keyOf(chunk: Chunk | null, decode: DecodePart | null): string {
    const { gpu, config, pool, ropes } = this.#parts;
    const asked = ({ adjusts, reports }: Asks) => `${adjusts} ${reports}`;
    const rows = decode && `${decode.numRows} ${numSplits(config, decode)} ${asked(decode.asks)}`;
    if (chunk === null) return `${rows}`;
    const { parts, numSampled, verifies, totalTokens, asks } = chunk;
    const lengths = parts.map(({ numRows }) => numRows).join('+');
    const splits = this.#biasPairs.map((numPairs) =>
      prefillSplits(gpu, pool.layout, { ...chunk, numHeads: config.numHeads, keyBias: { numPairs } }),
    );
    const tables = config.ropes.map((_, rope) => ropes.tableOf(rope, totalTokens)).join();
    return `${rows} ${lengths} ${splits} ${tables} ${numSampled} ${verifies} ${asked(asks)}`;
  }

  /** What gives blocks the contents of others, in every layer. */
  copies(copies: readonly BlockCopy[]): Graph {
    const { gpu, pool } = this.#parts;
    const { builder } = this.#context(null, null, null);
    for (const copy of copies)
      for (const { firstLayer, numLayers } of pool.plans)
        builder.push([copyBlock(gpu, pool.layout, { ...copy, numLayers })], 0, firstLayer);
    return builder.build();
  }

  /** The output head alone, of rows of a chunk that has run. */
  head(chunk: Chunk | null, firstRow: number, numRows: number): Graph {
    const { context, builder } = this.#context(chunk, null, null);
    lmHead(context, firstRow, numRows);
    return builder.build();
  }

  #build(chunk: Chunk | null, decode: DecodePart | null, takePart: TakePart | null): Graph {
    const { context, builder } = this.#context(chunk, decode, takePart);
    const { config, architecture } = this.#parts;
    if (chunk === null && decode?.numRows === 1 && this.#layers)
      this.#layers.push(builder, context.numSplits);
    else architecture.forward(config, context);
    sampleStep(context, chunk, decode);
    return builder.build();
  }

  /** What computes embedding and layers of a decode step of one row instead of a dispatch for each kernel; null: nothing does. */
  setLayers(layers: DecodeLayers | null): void {
    this.#layers = layers;
    this.#kept.clear();
  }

  /** A decode step of one row, to put layers into. */
  decodeContext(): { readonly context: ForwardContext; readonly builder: GraphBuilder } {
    return this.#context(null, { numRows: 1, position: 0, asks: NO_ASKS }, null);
  }

  #context(chunk: Chunk | null, decode: DecodePart | null, takePart: TakePart | null) {
    const { gpu, pool } = this.#parts;
    const builder = new GraphBuilder(
      gpu,
      (weightSlab, kvSlab) => this.#bindGroup(weightSlab, kvSlab),
      (layer) => pool.slabOf(layer),
      takePart,
    );
    return { context: stepContext(this.#parts, chunk, decode, builder), builder };
  }

  #bindGroup(weightSlab: number, kvSlab: number): GPUBindGroup {
    const key = `${weightSlab} ${kvSlab}`;
    let group = this.#bindGroups.get(key);
    if (!group) {
      const { gpu, slabs, pool, scratch, state } = this.#parts;
      const [weights, kv] = [slabs[weightSlab], pool.slabs[kvSlab]];
      if (!weights || !kv)
        throw new TabmindError('internal', `no weight slab ${weightSlab} or KV slab ${kvSlab}`);
      group = gpu.device.createBindGroup({
        label: `step ${key}`,
        layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
        entries: [weights, scratch, kv, state].map((buffer, binding) => ({
          binding,
          resource: { buffer },
        })),
      });
      this.#bindGroups.set(key, group);
    }
    return group;
  }
}
