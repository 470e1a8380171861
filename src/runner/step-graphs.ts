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
import { MAX_SPLITS } from './layer-buffers';
import type { RopeTables } from './rope-tables';

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

type Chunk = Pick<PrefillBatch, 'slot' | 'startPosition' | 'totalTokens'> & { readonly numRows: number };

/** The chunk of a step, and what its slot asks for. */
export interface ChunkPart extends Chunk, Pick<PrefillBatch, 'sample' | 'verifies'> {
  readonly asks: Asks;
}

/** The decode rows of a step, and what their slots ask for. */
export interface DecodePart {
  readonly numRows: number;
  /** Of the last of them. */
  readonly position: number;
  readonly asks: Asks;
}

/** Steps of several shapes. */
export interface StepShapes {
  readonly chunks?: readonly (readonly [numRows: number, startPosition: number])[];
  /** Rows of chunks that verify a draft. */
  readonly drafts?: readonly number[];
  /** Decode steps: each position with each number of rows. */
  readonly positions?: readonly number[];
  readonly rowCounts?: readonly number[];
  readonly asks?: Asks;
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
  request({ chunks = [], drafts = [], positions = [], rowCounts = [], asks = NO_ASKS }: StepShapes): void {
    for (const [numRows, startPosition] of chunks) {
      const totalTokens = startPosition + numRows;
      const chunk = { slot: 0, startPosition, numRows, totalTokens, asks };
      this.step({ ...chunk, sample: true, verifies: false }, null);
    }
    for (const numRows of drafts) {
      const draft = { slot: 0, startPosition: 0, numRows, totalTokens: null, asks };
      this.step({ ...draft, sample: false, verifies: true }, null);
    }
    for (const position of positions)
      for (const numRows of rowCounts) this.step(null, { numRows, position, asks });
  }

  /** One pass over the weights for a chunk, decode rows, or both. */
  step(chunk: ChunkPart | null, decode: DecodePart | null): Graph {
    const numSplits = decode === null ? 1 : this.#numSplits(decode.numRows, decode.position);
    if (chunk !== null || decode === null) return this.#build(chunk, decode, numSplits);
    const { numRows, asks } = decode;
    const key = `${numRows} ${numSplits} ${asks.adjusts} ${asks.reports}`;
    const graph = this.#decode.get(key) ?? this.#build(null, decode, numSplits);
    this.#decode.set(key, graph);
    return graph;
  }

  /** The output head alone, of rows of a chunk that has run. */
  head(chunk: Chunk, firstRow: number, numRows: number): Graph {
    const { context, builder } = this.#context(chunk, 0, 1);
    lmHead(context, firstRow, numRows);
    return builder.build();
  }

  #build(chunk: ChunkPart | null, decode: DecodePart | null, numSplits: number): Graph {
    const numDecodeRows = decode?.numRows ?? 0;
    const { context, builder } = this.#context(chunk, numDecodeRows, numSplits);
    const { config, architecture } = this.#parts;
    if (chunk === null && numDecodeRows === 1 && this.#layers) this.#layers.push(builder, numSplits);
    else architecture.forward(config, context);
    // The sampled rows of a chunk are its last ones, right before the decode rows.
    const numChunkIds = chunk === null ? 0 : numSampled(chunk);
    const firstRow = context.numRows - numDecodeRows - numChunkIds;
    if (numChunkIds + numDecodeRows > 0) lmHead(context, firstRow, numChunkIds + numDecodeRows);
    if (decode !== null)
      sample(context, {
        ...decode.asks,
        numRows: numDecodeRows,
        logitsRow: numChunkIds,
        sampledRow: 0,
        chunk: null,
      });
    if (chunk !== null && numChunkIds > 0)
      sample(context, {
        ...chunk.asks,
        numRows: numChunkIds,
        logitsRow: 0,
        sampledRow: numDecodeRows,
        chunk: { ...chunk, row: firstRow, feeds: chunk.sample },
      });
    return builder.build();
  }

  /** What computes embedding and layers of a decode step of one row instead of a dispatch for each kernel; null: nothing does. */
  setLayers(layers: DecodeLayers | null): void {
    this.#layers = layers;
    this.#decode.clear();
  }

  /** A decode step of one row, to put layers into. */
  decodeContext(): { readonly context: ForwardContext; readonly builder: GraphBuilder } {
    return this.#context(null, 1, 1);
  }

  #numSplits(numRows: number, position: number): number {
    if (position < UNSPLIT_TOKENS) return 1;
    // Parts as well as the tokens of each grow with the root of the length: 8 at 1,024 tokens, 32 at 16,384.
    const useful = Math.sqrt((position + 1) / 8);
    const free = Math.ceil(FULL_WORKGROUPS / (numRows * this.#parts.config.numKvHeads));
    return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(useful, free, MAX_SPLITS))));
  }

  #context(chunk: Chunk | null, numDecodeRows: number, numSplits: number) {
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
      numRows: (chunk?.numRows ?? 0) + numDecodeRows,
      chunk,
      numDecodeRows,
      numSplits,
      phases: null,
      layerAt: (layer) => pool.layerAt(layer),
      keyBias: (layer) => keyBias.call(layer, layout, regions.keyBias),
      ropeTable: (rope, rows) => ropes.tableOf(rope, rows === 'chunk' ? (chunk?.totalTokens ?? null) : null),
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

/** Ids that a chunk samples: its last row's, or all rows' where it verifies a draft. */
export function numSampled(chunk: Pick<ChunkPart, 'numRows' | 'sample' | 'verifies'>): number {
  return chunk.verifies ? chunk.numRows : chunk.sample ? 1 : 0;
}
