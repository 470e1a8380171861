import type { PrefillBatch } from '../engine/batch';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import type { StateLayout } from '../kernels/step-state';
import type { KvPool } from '../kvcache/kv-pool';
import type { ForwardContext, ScratchRegions, WeightTable } from '../layers/forward-context';
import { lmHead } from '../layers/lm-head';
import { sample } from '../layers/sampler';
import type { Architecture } from '../models/architecture';
import type { ModelConfig } from '../models/config';
import { type Graph, GraphBuilder } from './graph';
import type { KeyBiasTables } from './key-bias';
import type { RopeTables } from './rope-tables';
import { MAX_SPLITS } from './step-memory';

/** Context up to here is attended to in one part: a merge would cost more than it saves. */
export const UNSPLIT_TOKENS = 384;
/** Workgroups that fill a large GPU twice; more parts than that only cost. */
const FULL_WORKGROUPS = 264;

/** What slots ask for beyond a plain sampled id; it takes dispatches of its own. */
export interface Asks {
  /** Penalties, biases or bans. */
  readonly adjusts: boolean;
  /** Logprobs. */
  readonly reports: boolean;
}

export const NO_ASKS: Asks = { adjusts: false, reports: false };

export interface GraphParts {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
  readonly weights: WeightTable;
  readonly slabs: readonly GPUBuffer[];
  readonly pool: KvPool;
  readonly layout: StateLayout;
  readonly regions: ScratchRegions;
  readonly scratch: GPUBuffer;
  readonly state: GPUBuffer;
  readonly ropes: RopeTables;
  readonly keyBias: KeyBiasTables;
}

type Chunk = Pick<PrefillBatch, 'slot' | 'startPosition' | 'totalTokens'>;
type SampledChunk = Chunk & Pick<PrefillBatch, 'sample' | 'verifies'>;

/** The dispatches of every kind of step. Those of decode steps are kept, for they depend on the shape only. */
export class StepGraphs {
  readonly #parts: GraphParts;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #decode = new Map<string, Graph>();

  constructor(parts: GraphParts) {
    this.#parts = parts;
  }

  /** Requests the pipelines of steps of these shapes; nothing waits for them. */
  request(shapes: {
    readonly chunks?: readonly number[];
    readonly drafts?: readonly number[];
    readonly positions?: readonly number[];
    readonly rowCounts?: readonly number[];
    readonly asks?: Asks;
  }): void {
    const { chunks = [], drafts = [], positions = [], rowCounts = [], asks = NO_ASKS } = shapes;
    const start = { slot: 0, startPosition: 0 };
    for (const numRows of chunks)
      this.prefill({ ...start, totalTokens: numRows, sample: true, verifies: false }, numRows, asks);
    for (const numRows of drafts)
      this.prefill({ ...start, totalTokens: null, sample: false, verifies: true }, numRows, asks);
    for (const position of positions) for (const numRows of rowCounts) this.decode(numRows, position, asks);
  }

  /** A chunk of `numRows` tokens. */
  prefill(chunk: SampledChunk, numRows: number, asks: Asks): Graph {
    const { context, builder } = this.#context(numRows, chunk, 1);
    const { config, architecture } = this.#parts;
    architecture.forward(config, context);
    if (chunk.sample || chunk.verifies) {
      const rows = chunk.verifies ? { firstRow: 0, numRows } : { firstRow: numRows - 1, numRows: 1 };
      lmHead(context, rows.firstRow, rows.numRows);
      sample(context, { ...rows, ...asks, feeds: chunk.sample });
    }
    return builder.build();
  }

  /** The output head alone, of rows of a chunk that has run. */
  head(chunk: Chunk, numChunkRows: number, firstRow: number, numRows: number): Graph {
    const { context, builder } = this.#context(numChunkRows, chunk, 1);
    lmHead(context, firstRow, numRows);
    return builder.build();
  }

  /** A decode step of `numRows` rows, the last of which is at `position`. */
  decode(numRows: number, position: number, asks: Asks = NO_ASKS): Graph {
    const numSplits = this.#numSplits(numRows, position);
    const key = `${numRows} ${numSplits} ${asks.adjusts} ${asks.reports}`;
    let graph = this.#decode.get(key);
    if (!graph) {
      const { context, builder } = this.#context(numRows, null, numSplits);
      const { config, architecture } = this.#parts;
      architecture.forward(config, context);
      lmHead(context, 0, numRows);
      sample(context, { firstRow: 0, numRows, ...asks, feeds: true });
      graph = builder.build();
      this.#decode.set(key, graph);
    }
    return graph;
  }

  #numSplits(numRows: number, position: number): number {
    if (position < UNSPLIT_TOKENS) return 1;
    // Parts as well as the tokens of each grow with the root of the length: 8 at 1,024 tokens, 32 at 16,384.
    const useful = Math.sqrt((position + 1) / 8);
    const free = Math.ceil(FULL_WORKGROUPS / (numRows * this.#parts.config.numKvHeads));
    return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(useful, free, MAX_SPLITS))));
  }

  #context(numRows: number, prefill: Chunk | null, numSplits: number) {
    const { gpu, config, pool, layout, regions, weights, keyBias, ropes } = this.#parts;
    const builder = new GraphBuilder(
      (weightSlab, kvSlab) => this.#bindGroup(weightSlab, kvSlab),
      (layer) => pool.slabOf(layer),
    );
    const context: ForwardContext = {
      gpu,
      config,
      state: layout,
      kv: pool.layout,
      weights,
      scratch: regions,
      numRows,
      prefill,
      numSplits,
      layerAt: (layer) => pool.layerAt(layer),
      keyBias: (layer) => keyBias.call(layer, layout, regions.keyBias),
      ropeTable: (rope) => ropes.tableOf(rope, prefill?.totalTokens ?? null),
      push: (dispatches, slab, layer) => builder.push(dispatches, slab, layer),
    };
    return { context, builder };
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
