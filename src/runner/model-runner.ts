import type { Batch, PendingStep, PrefillBatch, StepRunner } from '../engine/batch';
import type { SamplingParams } from '../engine/sampling-params';
import { TabmindError } from '../errors';
import { allocateBuffer, readBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { Recorder } from '../gpu/dispatch';
import { type DispatchTime, profileDispatches } from '../gpu/profiler';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import type { StateLayout } from '../kernels/step-state';
import type { KvPool } from '../kvcache/kv-pool';
import { type ForwardContext, type ScratchRegions, WeightTable } from '../layers/forward-context';
import { lmHead } from '../layers/lm-head';
import { sample } from '../layers/sampler';
import type { Architecture } from '../models/architecture';
import type { ModelConfig } from '../models/config';
import type { PlacedTensor } from '../weights/packed-tensor';
import { ForwardInputs } from './forward-inputs';
import { type Graph, GraphBuilder } from './graph';
import { KeyBiasTables, readKeyBias } from './key-bias';
import { ReadbackRing } from './readback-ring';
import { RopeTables } from './rope-tables';
import { MAX_SPLITS, planStepMemory } from './step-memory';

/** Tokens of context that are worth a part of their own: what a workgroup takes at once. */
const SPLIT_TOKENS = 512;
/** Workgroups that fill a large GPU twice; more parts than that only cost. */
const FULL_WORKGROUPS = 264;
/** Lengths of prompts for which the kernels differ. */
const OTHER_CHUNKS = [2, 8, 16, 32, 64];
/** Numbers of decode rows for which the kernels differ. */
const OTHER_ROWS = [2, 3, 4, 8, 16, 32, 64];

export interface RunnerOptions {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
  readonly slabs: readonly GPUBuffer[];
  readonly pool: KvPool;
  readonly contextLength: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
}

interface RunnerParts extends RunnerOptions {
  readonly layout: StateLayout;
  readonly regions: ScratchRegions;
  readonly maxLogitRows: number;
  readonly scratch: GPUBuffer;
  readonly state: GPUBuffer;
  readonly ropes: RopeTables;
  readonly keyBias: KeyBiasTables;
  readonly inputs: ForwardInputs;
}

type Prefill = Pick<PrefillBatch, 'slot' | 'startPosition' | 'totalTokens'>;

/** Turns batches into recorded command lists. Owns scratch and step state; weights and KV pool belong to its maker. */
export class ModelRunner implements StepRunner {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly #options: RunnerOptions;
  readonly #layout: StateLayout;
  readonly #regions: ScratchRegions;
  readonly #maxLogitRows: number;
  readonly #scratch: GPUBuffer;
  readonly #state: GPUBuffer;
  readonly #weights: WeightTable;
  readonly #recorder: Recorder;
  /** Of the chunk that shares a submit with decode rows: a recorder's scalars are those of one pass a submit. */
  readonly #chunkRecorder: Recorder;
  readonly #inputs: ForwardInputs;
  readonly #ropes: RopeTables;
  readonly #keyBias: KeyBiasTables;
  readonly #ring: ReadbackRing;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  readonly #decodeGraphs = new Map<string, Graph>();
  #stepsSubmitted = 0;

  static async create(options: RunnerOptions): Promise<ModelRunner> {
    const { gpu, config, pool, contextLength } = options;
    const keyBias = new KeyBiasTables(config, await readKeyBias(options));
    const { layout, regions, maxLogitRows, ...bytes } = planStepMemory(config, {
      ...options,
      blockTokens: pool.shape.blockTokens,
      permutedCols: permutedCols(options.tensors),
      keyBias: { tableWords: keyBias.words.length, rowFloats: keyBias.rowFloats },
    });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const scratch = await allocateBuffer(gpu.device, 'activations', bytes.scratchBytes, usage);
    const state = await allocateBuffer(gpu.device, 'step state', bytes.stateBytes, usage);
    gpu.device.queue.writeBuffer(state, layout.keyBiasAt * 4, keyBias.words);
    const ropes = new RopeTables(config.ropes);
    const inputs = new ForwardInputs(gpu.device.queue, state, layout, ropes);
    inputs.writeRopes(contextLength);
    const parts = { layout, regions, maxLogitRows, scratch, state, ropes, inputs, keyBias };
    return new ModelRunner({ ...options, ...parts });
  }

  private constructor(parts: RunnerParts) {
    const { gpu, maxSlots, maxChunkTokens, tensors } = parts;
    this.maxSlots = maxSlots;
    this.maxChunkTokens = maxChunkTokens;
    this.#options = parts;
    this.#layout = parts.layout;
    this.#regions = parts.regions;
    this.#maxLogitRows = parts.maxLogitRows;
    this.#scratch = parts.scratch;
    this.#state = parts.state;
    this.#ropes = parts.ropes;
    this.#keyBias = parts.keyBias;
    this.#inputs = parts.inputs;
    this.#weights = new WeightTable(tensors);
    this.#recorder = new Recorder(gpu);
    this.#chunkRecorder = new Recorder(gpu);
    this.#ring = new ReadbackRing(gpu.device, (maxSlots + 1) * 4);
  }

  get stepsSubmitted(): number {
    return this.#stepsSubmitted;
  }

  /**
   * Compiles what the first prompt and the first tokens need, in parallel, and then begins with what other lengths need.
   * A software adapter has one shape for all, and no processor to spare.
   */
  async warmUp(): Promise<void> {
    const { gpu, contextLength } = this.#options;
    this.#requestPipelines([1, this.maxChunkTokens], [0, contextLength - 1], [1]);
    await gpu.pipelines.ready();
    if (gpu.isSoftware) return;
    const positions = Array.from({ length: Math.log2(MAX_SPLITS) }, (_, i) => SPLIT_TOKENS * 2 ** i);
    this.#requestPipelines(
      OTHER_CHUNKS.filter((numRows) => numRows < this.maxChunkTokens),
      positions.filter((position) => position < contextLength),
      [1],
    );
    const numRows = OTHER_ROWS.filter((rows) => rows <= this.maxSlots);
    this.#requestPipelines([], [0, contextLength - 1], numRows);
  }

  #requestPipelines(
    chunks: readonly number[],
    positions: readonly number[],
    rowCounts: readonly number[],
  ): void {
    for (const numRows of chunks)
      this.#prefillGraph({ slot: 0, startPosition: 0, totalTokens: numRows }, numRows, true);
    for (const position of positions)
      for (const rows of rowCounts) this.#decodeGraph(rows, this.#numSplits(rows, position));
  }

  startSlot(slot: number, params: SamplingParams, seenIds: ArrayLike<number>): void {
    this.#inputs.startSlot(slot, params, seenIds);
  }

  /**
   * Records and submits the batch: copies, decode rows, chunk. Pipelines of a shape not met before compile first; the
   * order of steps is kept.
   */
  submit(batch: Batch): PendingStep {
    const { rows, prefill } = batch;
    this.#inputs.prepare(batch);
    const { device } = this.#options.gpu;
    const encoder = device.createCommandEncoder();
    for (const copy of batch.copies) this.#options.pool.recordCopy(encoder, copy);
    const sampledAt = this.#layout.sampledAt * 4;
    const numIds = rows.length + (prefill?.sample ? 1 : 0);
    const buffer = numIds > 0 ? this.#ring.take() : null;
    if (rows.length > 0) {
      this.#recorder.record(encoder, this.#decodeGraphOf(rows).runs);
      if (buffer) encoder.copyBufferToBuffer(this.#state, sampledAt, buffer, 0, rows.length * 4);
    }
    if (prefill !== null) {
      const graph = this.#prefillGraph(prefill, prefill.tokenIds.length, prefill.sample);
      this.#chunkRecorder.record(encoder, graph.runs);
      if (buffer && prefill.sample)
        encoder.copyBufferToBuffer(this.#state, sampledAt, buffer, rows.length * 4, 4);
    }
    device.queue.submit([encoder.finish()]);
    this.#stepsSubmitted++;
    const ids = buffer
      ? this.#ring.read(buffer, numIds * 4)
      : device.queue.onSubmittedWorkDone().then(() => new Uint32Array(0));
    return { ids };
  }

  /**
   * Runs a prefill chunk and returns the logits of its rows from `firstRow` on, f32 [rows][vocabSize]: verification
   * and evaluation only.
   */
  async score(batch: PrefillBatch, firstRow: number): Promise<Float32Array> {
    const { gpu, config } = this.#options;
    const { vocabSize } = config;
    this.#inputs.prepare({ rows: [], prefill: batch });
    const numRows = batch.tokenIds.length;
    const forward = this.#prefillGraph(batch, numRows, false);
    await this.#run(forward);
    const out = new Float32Array((numRows - firstRow) * vocabSize);
    for (let row = firstRow; row < numRows; row += this.#maxLogitRows) {
      const rows = Math.min(this.#maxLogitRows, numRows - row);
      const { context, builder } = this.#context(numRows, batch, 1);
      lmHead(context, row, rows);
      await this.#run(builder.build());
      const { at, stride } = this.#regions.logits;
      const bytes = await readBuffer(gpu.device, this.#scratch, at * 4, rows * stride * 4);
      for (let i = 0; i < rows; i++)
        out.set(new Float32Array(bytes, i * stride * 4, vocabSize), (row - firstRow + i) * vocabSize);
    }
    return out;
  }

  /** GPU time of every kernel of one decode step at `position` of slot 0, whatever the cache holds there. */
  async profileDecode(position: number): Promise<readonly DispatchTime[]> {
    await this.#options.gpu.pipelines.ready();
    return profileDispatches(this.#options.gpu, this.#decodeGraph(1, this.#numSplits(1, position)).runs);
  }

  /** What a decode step of one row costs in launches, and the bindings of each. */
  decodeCost(): { readonly dispatches: number; readonly bindings: number } {
    return { dispatches: this.#decodeGraph(1, 1).numDispatches, bindings: STEP_BINDINGS.length };
  }

  destroy(): void {
    this.#scratch.destroy();
    this.#state.destroy();
    this.#ring.destroy();
  }

  async #run(graph: Graph): Promise<void> {
    const { device, pipelines } = this.#options.gpu;
    await pipelines.ready();
    const encoder = device.createCommandEncoder();
    this.#recorder.record(encoder, graph.runs);
    device.queue.submit([encoder.finish()]);
  }

  #decodeGraphOf(rows: Batch['rows']): Graph {
    const last = rows.reduce((most, { position }) => Math.max(most, position), 0);
    return this.#decodeGraph(rows.length, this.#numSplits(rows.length, last));
  }

  #numSplits(numRows: number, position: number): number {
    const useful = Math.ceil((position + 1) / SPLIT_TOKENS);
    const free = Math.ceil(FULL_WORKGROUPS / (numRows * this.#options.config.numKvHeads));
    return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(useful, free, MAX_SPLITS))));
  }

  #prefillGraph(prefill: Prefill, numRows: number, sampled: boolean): Graph {
    const { context, builder } = this.#context(numRows, prefill, 1);
    this.#options.architecture.forward(this.#options.config, context);
    if (sampled) {
      lmHead(context, numRows - 1, 1);
      sample(context);
    }
    return builder.build();
  }

  #decodeGraph(numRows: number, numSplits: number): Graph {
    const key = `${numRows} ${numSplits}`;
    let graph = this.#decodeGraphs.get(key);
    if (!graph) {
      const { context, builder } = this.#context(numRows, null, numSplits);
      this.#options.architecture.forward(this.#options.config, context);
      lmHead(context, 0, numRows);
      sample(context);
      graph = builder.build();
      this.#decodeGraphs.set(key, graph);
    }
    return graph;
  }

  #context(numRows: number, prefill: Prefill | null, numSplits: number) {
    const { gpu, config, pool } = this.#options;
    const builder = new GraphBuilder(
      (weightSlab, kvSlab) => this.#bindGroup(weightSlab, kvSlab),
      (layer) => pool.slabOf(layer),
    );
    const context: ForwardContext = {
      gpu,
      config,
      state: this.#layout,
      kv: pool.layout,
      weights: this.#weights,
      scratch: this.#regions,
      numRows,
      prefill,
      numSplits,
      layerAt: (layer) => pool.layerAt(layer),
      keyBias: (layer) => this.#keyBias.call(layer, this.#layout, this.#regions.keyBias),
      ropeTable: (rope) => this.#ropes.tableOf(rope, prefill?.totalTokens ?? null),
      push: (dispatches, slab, layer) => builder.push(dispatches, slab, layer),
    };
    return { context, builder };
  }

  #bindGroup(weightSlab: number, kvSlab: number): GPUBindGroup {
    const key = `${weightSlab} ${kvSlab}`;
    let group = this.#bindGroups.get(key);
    if (!group) {
      const { gpu, slabs, pool } = this.#options;
      const [weights, kv] = [slabs[weightSlab], pool.slabs[kvSlab]];
      if (!weights || !kv)
        throw new TabmindError('internal', `no weight slab ${weightSlab} or KV slab ${kvSlab}`);
      group = gpu.device.createBindGroup({
        label: `step ${key}`,
        layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
        entries: [weights, this.#scratch, kv, this.#state].map((buffer, binding) => ({
          binding,
          resource: { buffer },
        })),
      });
      this.#bindGroups.set(key, group);
    }
    return group;
  }
}

/** Orders of columns are tensors of their own, as long as the columns are many. */
function permutedCols(tensors: RunnerOptions['tensors']): number {
  const orders = [...tensors.values()].filter(({ format }) => format === 'u32');
  return orders.reduce((widest, { cols }) => Math.max(widest, cols), 0);
}
