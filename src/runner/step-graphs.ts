import { TabmindError } from '../errors';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import type { KvPool } from '../kvcache/kv-pool';
import type { ForwardContext } from '../layers/forward-context';
import { lmHead } from '../layers/lm-head';
import { type Graph, GraphBuilder, type TakePart } from './graph';
import {
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

/** The dispatches of every kind of step. Those of decode steps are kept, for they depend on the shape only. */
export class StepGraphs {
  readonly #parts: GraphParts;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #decode = new Map<string, Graph>();
  #layers: DecodeLayers | null = null;

  constructor(parts: GraphParts) {
    this.#parts = parts;
  }

  /** Requests the pipelines of steps of these shapes; nothing waits for them. */
  request(shapes: StepShapes): void {
    for (const [chunk, decode] of stepsOf(shapes)) this.step(chunk, decode);
  }

  /**
   * One pass over the weights for a chunk, decode rows, or both. What has to be put together anew goes to `takePart` in parts,
   * and the last of them is returned.
   */
  step(chunk: Chunk | null, decode: DecodePart | null, takePart: TakePart | null = null): Graph {
    if (chunk !== null || decode === null) return this.#build(chunk, decode, takePart);
    const { numRows, asks } = decode;
    const key = `${numRows} ${numSplits(this.#parts.config, decode)} ${asks.adjusts} ${asks.reports}`;
    const graph = this.#decode.get(key) ?? this.#build(null, decode, null);
    this.#decode.set(key, graph);
    return graph;
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
    this.#decode.clear();
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
