import { TabmindError } from '../errors';
import { readBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type Dispatch, Recorder } from '../gpu/dispatch';
import { PipelineCache } from '../gpu/pipeline';
import { decodeLayers, EMPTY_WORD, type ResidentTile } from '../kernels/decode-layers';
import type { GraphBuilder } from './graph';
import { exchangeFloats, MAX_SPLITS } from './layer-buffers';
import { LayerPhases, type LayerPlan } from './layer-phases';
import { chooseResident, RESIDENT_DEPTH, RESIDENT_THREADS } from './resident-choice';
import type { DecodeLayers, GraphParts, StepGraphs } from './step-graphs';

export interface ResidentParts extends GraphParts {
  readonly graphs: StepGraphs;
}

const TIMED_STEPS = 8;
/** Workgroups that do run at once need far fewer. */
const TRIAL_POLLS = 1 << 14;

/**
 * One dispatch that computes all layers of a decode step of one row (src/kernels/decode-layers.ts), or a few where there are
 * several slabs: whether it is used, and how it is cut.
 */
export class ResidentLayers {
  readonly #parts: ResidentParts;
  /** With pipelines of its own: a program that this driver cannot build must not stand in the way of the others. */
  readonly #gpu: Gpu;
  readonly #recorder: Recorder;

  constructor(parts: ResidentParts) {
    const { gpu } = parts;
    this.#parts = parts;
    this.#gpu = { ...gpu, pipelines: new PipelineCache(gpu.device, gpu.immediates) };
    this.#recorder = new Recorder(gpu);
  }

  /** Computes these layers from now on, cut like that; null: a dispatch for each kernel does. Throws `shader`. */
  async use(tile: ResidentTile | null): Promise<void> {
    const layers = tile && this.#layers(tile);
    await this.#gpu.pipelines.ready();
    this.#empty();
    this.#parts.graphs.setLayers(layers);
  }

  /** Begins to compile; false where one dispatch cannot compute these layers on this adapter. */
  request(): boolean {
    const { maxComputeInvocationsPerWorkgroup } = this.#gpu.device.limits;
    if (maxComputeInvocationsPerWorkgroup < RESIDENT_THREADS) return false;
    return this.#layers(tileOf(1)) !== null;
  }

  /** Waits for what was requested. Throws `shader`. */
  ready(): Promise<void> {
    return this.#gpu.pipelines.ready();
  }

  /** Tries it out on the decode row that has been prepared, which nobody else may use, and takes what is fastest; returns that. */
  async choose(): Promise<ResidentTile | null> {
    const tile = await chooseResident({
      fits: (workgroups) => this.#fits(workgroups),
      time: (workgroups) => this.#run(workgroups, TIMED_STEPS),
    });
    await this.use(tile);
    return tile;
  }

  /** The plan for a cut goes into the step state, in the place of another's; null: not possible. */
  #layers(tile: ResidentTile, maxPolls?: number): DecodeLayers | null {
    const { layout, state } = this.#parts;
    const plan = this.#plan(tile);
    if (plan === null) return null;
    this.#gpu.device.queue.writeBuffer(state, layout.planAt * 4, plan.words);
    const { planAt, failedAt } = layout;
    const polls = maxPolls === undefined ? {} : { maxPolls };
    const push = (builder: GraphBuilder, numSplits: number) => {
      const call = { ...plan, maxSplits: MAX_SPLITS, planAt, failedAt, numSplits, ...polls };
      for (const { dispatches, slab } of plan.before) builder.push(dispatches, slab);
      for (const { first, end, weightSlab, layer } of plan.runs)
        builder.push(
          [decodeLayers(this.#gpu, { ...call, first, end }, tile)],
          weightSlab,
          layer ?? undefined,
        );
    };
    push(this.#parts.graphs.decodeContext().builder, 1);
    return { push };
  }

  #plan(tile: ResidentTile): LayerPlan | null {
    const { config, architecture, pool, layout, regions, graphs } = this.#parts;
    const phases = new LayerPhases({
      ...{ gpu: this.#gpu, config, state: layout, kv: pool.layout, scratch: regions, tile },
      slabOfLayer: (layer) => pool.slabOf(layer),
    });
    const { context } = graphs.decodeContext();
    const push = (dispatches: readonly Dispatch[], slab: number) => phases.push(dispatches, slab);
    architecture.forward(config, { ...context, phases, push });
    return phases.plan();
  }

  async #fits(workgroups: number): Promise<boolean> {
    const { state, layout } = this.#parts;
    await this.#run(workgroups, 1);
    const failed = new Uint32Array(await readBuffer(this.#gpu.device, state, layout.failedAt * 4, 4));
    return failed[0] === 0;
  }

  /** Milliseconds that the GPU takes; what only a trial prepares is not among them. */
  async #run(workgroups: number | null, numSteps: number): Promise<number> {
    const { config, architecture, graphs } = this.#parts;
    const { context, builder } = graphs.decodeContext();
    const layers = workgroups === null ? null : this.#layers(tileOf(workgroups), TRIAL_POLLS);
    if (workgroups === null) architecture.forward(config, context);
    else if (layers) layers.push(builder, 1);
    else throw new TabmindError('internal', 'The layers were to be tried out, but have no plan.');
    this.#empty();
    const encoder = this.#gpu.device.createCommandEncoder();
    const { runs } = builder.build();
    for (let step = 0; step < numSteps; step++) this.#recorder.record(encoder, runs);
    const commands = encoder.finish();
    const startMs = performance.now();
    this.#gpu.device.queue.submit([commands]);
    await this.#gpu.device.queue.onSubmittedWorkDone();
    return performance.now() - startMs;
  }

  /** Nothing that workgroups hand to each other is there yet, and nothing has failed. */
  #empty(): void {
    const { config, layout, regions, scratch, state } = this.#parts;
    const words = new Uint32Array(exchangeFloats(config)).fill(EMPTY_WORD);
    this.#gpu.device.queue.writeBuffer(scratch, regions.exchange.at * 4, words);
    this.#gpu.device.queue.writeBuffer(state, layout.failedAt * 4, Uint32Array.of(0));
  }
}

function tileOf(workgroups: number): ResidentTile {
  return { workgroups, threads: RESIDENT_THREADS, depth: RESIDENT_DEPTH };
}
