import type { Batch, DecodeRow, PendingStep, PrefillBatch, SlotStart, StepRunner } from '../engine/batch';
import { allocateBuffer, readBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { pipelinesOf, Recorder } from '../gpu/dispatch';
import { hasten } from '../gpu/hasten';
import { type DispatchTime, profileDispatches } from '../gpu/profiler';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import { MAX_VERIFIED_ROWS, type StateLayout } from '../kernels/step-state';
import type { KvPool } from '../kvcache/kv-pool';
import { type ScratchRegions, WeightTable } from '../layers/forward-context';
import type { Architecture } from '../models/architecture';
import type { ModelConfig } from '../models/config';
import type { PlacedTensors } from '../weights/packed-tensor';
import { ForwardInputs } from './forward-inputs';
import type { Graph, TakePart } from './graph';
import { KeyBiasTables, type LayerKeyBias } from './key-bias';
import type { ResidentParts } from './resident-layers';
import { RopeTables } from './rope-tables';
import { SampleReadback } from './sample-readback';
import { type Asks, chunkOf, NO_ASKS, numSampledOf, stepsOf } from './step-forward';
import { StepGraphs } from './step-graphs';
import { permutedCols, planStepMemory } from './step-memory';
import { warmShapes } from './warm-shapes';

export interface RunnerOptions {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
  readonly tensors: PlacedTensors;
  readonly slabs: readonly GPUBuffer[];
  readonly pool: KvPool;
  readonly contextLength: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  /** What each layer keeps out of its cache (readKeyBias). */
  readonly keyBias: readonly (LayerKeyBias | null)[];
}

interface RunnerParts extends Omit<RunnerOptions, 'keyBias'> {
  readonly layout: StateLayout;
  readonly regions: ScratchRegions;
  readonly maxLogitRows: number;
  readonly scratch: GPUBuffer;
  readonly state: GPUBuffer;
  readonly ropes: RopeTables;
  readonly keyBias: KeyBiasTables;
  readonly inputs: ForwardInputs;
}

/** Turns batches into recorded command lists. Owns scratch and step state; weights and KV pool belong to its maker. */
export class ModelRunner implements StepRunner {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly maxVerifiedRows: number;
  /** What ResidentLayers takes. */
  readonly residentParts: ResidentParts;
  readonly #options: RunnerParts;
  readonly #recorder: Recorder;
  readonly #inputs: ForwardInputs;
  readonly #graphs: StepGraphs;
  readonly #readback: SampleReadback;
  #stepsSubmitted = 0;
  #isDestroyed = false;
  #layersLost = () => {};

  static async create(options: RunnerOptions): Promise<ModelRunner> {
    const { gpu, config, pool, contextLength } = options;
    const keyBias = new KeyBiasTables(config, options.keyBias);
    const { layout, regions, maxLogitRows, ...bytes } = planStepMemory(config, {
      ...options,
      blockTokens: pool.shape.blockTokens,
      permutedCols: permutedCols(options.tensors.values()),
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
    this.maxVerifiedRows = Math.min(MAX_VERIFIED_ROWS, maxChunkTokens);
    this.#options = parts;
    this.#inputs = parts.inputs;
    this.#recorder = new Recorder(gpu);
    const graphParts = { ...parts, weights: new WeightTable(tensors) };
    this.#graphs = new StepGraphs(graphParts);
    this.residentParts = { ...graphParts, graphs: this.#graphs };
    this.#readback = new SampleReadback(gpu.device, parts.state, parts.layout);
  }

  get stepsSubmitted(): number {
    return this.#stepsSubmitted;
  }

  /** Compiles what the first prompt and the first tokens need, in parallel (warmShapes). */
  warmUp(): Promise<void> {
    const { gpu } = this.#options;
    this.#graphs.request(warmShapes(gpu, this.#options).first);
    return gpu.pipelines.ready();
  }

  /**
   * Compiles what other steps need. It begins with one after the other, so that a request finds its way between them. Throws
   * `shader`.
   */
  async compileOthers(): Promise<void> {
    const { gpu } = this.#options;
    for (const shapes of warmShapes(gpu, this.#options).others)
      for (const step of stepsOf(shapes)) {
        await new Promise((resolve) => setTimeout(resolve));
        if (this.#isDestroyed) return;
        this.#graphs.requestStep(...step);
      }
    this.#graphs.copies([{ from: 0, to: 0 }]);
    await gpu.pipelines.ready();
  }

  /** Makes a row ready whose steps are not submitted here. */
  prepareRow(row: DecodeRow): void {
    this.#inputs.prepare({ rows: [row], prefills: [] });
  }

  startSlot(slot: number, start: SlotStart): void {
    this.#inputs.startSlot(slot, start);
  }

  /**
   * Records and submits the batch: copies, then one pass over the weights for chunk and decode rows. A chunk that finds the
   * GPU without work is waited for: its first dispatches are computed while those behind them are put together. Pipelines of a
   * shape not met before compile first; the order of steps is kept.
   */
  submit(batch: Batch, wasIdle: boolean): PendingStep {
    const { rows, prefills } = batch;
    this.#inputs.prepare(batch);
    const { gpu } = this.#options;
    const { device } = gpu;
    let encoder = device.createCommandEncoder();
    const copies = [...this.#graphs.copies(batch.copies).runs];
    const chunkSlots = prefills.flatMap((prefill) => Array<number>(numSampledOf(prefill)).fill(prefill.slot));
    const slots = [...rows.map(({ slot }) => slot), ...chunkSlots];
    const readback = this.#readback.begin(slots.map((slot) => this.#numTopOf(slot)));
    const takePart = ({ runs }: Graph) => {
      this.#recorder.record(encoder, [...copies.splice(0), ...runs]);
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
    };
    const isAlone = prefills.length > 0 && wasIdle;
    const rest = this.#graphOf(batch, (rows) => this.#asksOf(rows), isAlone ? takePart : null);
    this.#recorder.record(encoder, [...copies, ...rest.runs]);
    readback.copy(encoder);
    device.queue.submit([encoder.finish()]);
    this.#stepsSubmitted++;
    const step = readback.read();
    if (isAlone && !gpu.isSoftware) hasten(device.queue, step.ids);
    return step;
  }

  #graphOf(
    { rows, prefills }: Batch,
    asksOf: (rows: readonly { readonly slot: number }[]) => Asks,
    takePart: TakePart | null = null,
  ): Graph {
    const position = rows.reduce((most, row) => Math.max(most, row.position), 0);
    const decode = rows.length === 0 ? null : { numRows: rows.length, position, asks: asksOf(rows) };
    return this.#graphs.step(chunkOf(prefills, asksOf(prefills)), decode, takePart);
  }

  #asksOf(rows: readonly { readonly slot: number }[]): Asks {
    return {
      adjusts: rows.some(({ slot }) => this.#inputs.isAdjusted(slot)),
      reports: rows.some(({ slot }) => this.#numTopOf(slot) !== null),
    };
  }

  #numTopOf(slot: number): number | null {
    const numTop = this.#inputs.numTopOf(slot);
    return numTop === null ? null : Math.min(numTop, this.#options.config.vocabSize);
  }

  /** Runs `listener` when the dispatch of all layers has failed. */
  onLayersLost(listener: () => void): void {
    this.#layersLost = listener;
  }

  /** The dispatch of all layers has failed: it is not used again. */
  recover(): void {
    const { gpu, state, layout } = this.#options;
    this.#graphs.setLayers(null);
    gpu.device.queue.writeBuffer(state, layout.failedAt * 4, Uint32Array.of(0));
    this.#layersLost();
  }

  /**
   * Runs a prefill chunk and returns the logits of its rows from `firstRow` on, f32 [rows][vocabSize]: verification
   * and evaluation only.
   */
  async score(batch: PrefillBatch, firstRow: number): Promise<Float32Array> {
    const { gpu, config, regions, maxLogitRows, scratch } = this.#options;
    const { vocabSize } = config;
    this.#inputs.prepare({ rows: [], prefills: [batch] });
    const chunk = chunkOf([batch], NO_ASKS);
    const numRows = batch.tokenIds.length;
    await this.#run(this.#graphs.step(chunk, null));
    const out = new Float32Array((numRows - firstRow) * vocabSize);
    for (let row = firstRow; row < numRows; row += maxLogitRows) {
      const rows = Math.min(maxLogitRows, numRows - row);
      await this.#run(this.#graphs.head(chunk, row, rows));
      const { at, stride } = regions.logits;
      const bytes = await readBuffer(gpu.device, scratch, at * 4, rows * stride * 4);
      for (let i = 0; i < rows; i++)
        out.set(new Float32Array(bytes, i * stride * 4, vocabSize), (row - firstRow + i) * vocabSize);
    }
    return out;
  }

  /** GPU time of every kernel of a step of rows that ask for nothing more. */
  async profile(batch: Batch): Promise<readonly DispatchTime[]> {
    this.#inputs.prepare(batch);
    const graph = this.#graphOf(batch, () => NO_ASKS);
    await this.#options.gpu.pipelines.ready(pipelinesOf(graph.runs));
    return profileDispatches(this.#options.gpu, graph.runs);
  }

  /** What a decode step of one row costs in launches, and the bindings of each. */
  decodeCost(): { readonly dispatches: number; readonly bindings: number } {
    const graph = this.#graphs.step(null, { numRows: 1, position: 0, asks: NO_ASKS });
    return { dispatches: graph.numDispatches, bindings: STEP_BINDINGS.length };
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#options.scratch.destroy();
    this.#options.state.destroy();
    this.#readback.destroy();
  }

  async #run(graph: Graph): Promise<void> {
    const { device, pipelines } = this.#options.gpu;
    await pipelines.ready(pipelinesOf(graph.runs));
    const encoder = device.createCommandEncoder();
    this.#recorder.record(encoder, graph.runs);
    device.queue.submit([encoder.finish()]);
  }
}
