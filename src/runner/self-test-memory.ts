import { allocateBuffer, readBuffer, type readPieces } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type BoundDispatches, type Dispatch, Recorder } from '../gpu/dispatch';
import { packChunk } from '../kernels/chunk-rows';
import { type KvLayout, type KvShape, kvLayout } from '../kernels/kv-layout';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import { SLOT, SLOT_WORDS, type StateLayout } from '../kernels/step-state';
import type { ModelConfig } from '../models/config';
import { ropeTable } from '../models/rope';
import type { PlacedTensors } from '../weights/packed-tensor';
import { KeyBiasTables, type LayerKeyBias } from './key-bias';
import { planStepMemory, type StepMemory } from './step-memory';

/** Tokens that are prefilled: one more than a block holds, so that a block table is needed. One more is decoded. */
export const PREFILL_TOKENS = 33;
/** The table is no identity, so that a kernel which ignores it is found out. */
export const BLOCK_TABLE = [1, 0];
const MIN_CONTEXT = 64;

export interface SelfTestRequest {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  /** By our names. */
  readonly tensors: PlacedTensors;
  readonly slabs: readonly GPUBuffer[];
  readonly kv: KvShape;
  readonly contextLength: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  /** What each layer of the model keeps out of its cache. */
  readonly keyBias: readonly (LayerKeyBias | null)[];
  /** How the CPU gets the weights that the GPU computes with; tests put a wrong one in. */
  readonly readWeights?: typeof readPieces;
}

/** A value of the GPU, what the CPU says, and by how much they may differ. */
export interface Comparison {
  readonly actual: number;
  readonly expected: number;
  readonly limit: number;
}

export interface Results {
  readonly scratch: Float32Array;
  readonly kv: Uint32Array;
}

/** Dispatches that read one weight slab. */
export interface SlabDispatches {
  readonly slab: number;
  readonly dispatches: readonly Dispatch[];
}

interface MemoryParts extends Pick<SelfTestMemory, 'keyBias'> {
  readonly request: SelfTestRequest;
  readonly plan: StepMemory;
  readonly state: GPUBuffer;
  readonly cache: KvLayout;
  readonly kvBuffer: GPUBuffer;
}

/** Buffers of the self-test's own, laid out as the model's are, so that its programs fit. */
export class SelfTestMemory {
  readonly state: StateLayout;
  readonly kv: KvLayout;
  /** Room that a step has for sums over parts of K, from which their number follows. */
  readonly partFloats: number;
  /** (cos, sin) pairs [PREFILL_TOKENS + 1][rotaryDim / 2]; null without rope. */
  readonly angles: Float32Array<ArrayBuffer> | null;
  /** K bias that a layer of the model keeps out of its cache, of the first that has terms for it; and its table. */
  readonly keyBias: { readonly layer: LayerKeyBias; readonly tables: KeyBiasTables } | null;
  readonly #request: SelfTestRequest;
  readonly #stateBuffer: GPUBuffer;
  readonly #kvBuffer: GPUBuffer;
  readonly #inputs: { readonly at: number; readonly values: Float32Array<ArrayBuffer> }[] = [];
  #numFloats = 0;

  static async allocate(request: SelfTestRequest): Promise<SelfTestMemory> {
    const { gpu, config, kv } = request;
    const layer = request.keyBias.find((bias) => bias !== null && bias.numPairs > 0) ?? null;
    const keyBias = layer && { layer, tables: new KeyBiasTables(config, [layer]) };
    const plan = planStepMemory(config, {
      contextLength: Math.max(MIN_CONTEXT, request.contextLength),
      maxChunkTokens: Math.max(MIN_CONTEXT, request.maxChunkTokens),
      maxSlots: request.maxSlots,
      blockTokens: kv.blockTokens,
      keyBias: { tableWords: keyBias?.tables.words.length ?? 0, rowFloats: 0 },
    });
    const cache = kvLayout({ ...kv, numLayers: 1, numBlocks: BLOCK_TABLE.length });
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const state = await allocateBuffer(gpu.device, 'self-test state', plan.stateBytes, usage);
    const kvBuffer = await allocateBuffer(gpu.device, 'self-test kv', cache.layerWords * 4, usage);
    return new SelfTestMemory({ request, keyBias, plan, state, cache, kvBuffer });
  }

  private constructor(parts: MemoryParts) {
    const { request, plan, keyBias } = parts;
    this.state = plan.layout;
    this.partFloats = plan.regions.partials.stride;
    this.kv = parts.cache;
    this.keyBias = keyBias;
    this.#request = request;
    this.#stateBuffer = parts.state;
    this.#kvBuffer = parts.kvBuffer;
    const [rope] = request.config.ropes;
    this.angles = rope ? ropeTable(rope, PREFILL_TOKENS + 1) : null;
  }

  /** A region of the scratch buffer; offset in floats. */
  region(numFloats: number, values?: Float32Array<ArrayBuffer>): number {
    const at = this.#numFloats;
    this.#numFloats = Math.ceil((at + numFloats) / 64) * 64;
    if (values) this.#inputs.push({ at, values });
    return at;
  }

  /** The ids of the prefill chunk, and the token of the decode row, which stands behind the chunk. */
  writeTokens(chunk: Uint32Array<ArrayBuffer>, decoded: number): void {
    const slot = new Uint32Array(SLOT_WORDS);
    slot[SLOT.position] = PREFILL_TOKENS;
    slot[SLOT.token] = decoded;
    const { rows, parts } = packChunk([{ slot: 0, startPosition: 0, tokenIds: chunk, sample: false }]);
    this.#writeState(this.state.chunkAt, rows);
    this.#writeState(this.state.partsAt, parts);
    this.#writeState(this.state.slotsAt, slot);
    this.#writeState(this.state.tablesAt, Uint32Array.from(BLOCK_TABLE));
    if (this.angles) this.#writeState(this.state.ropeAt, this.angles);
    if (this.keyBias) this.#writeState(this.state.keyBiasAt, this.keyBias.tables.words);
  }

  /** Runs everything in one submit. */
  async run(runs: readonly SlabDispatches[]): Promise<Results> {
    const { gpu } = this.#request;
    const { device } = gpu;
    await gpu.pipelines.ready();
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const scratch = await allocateBuffer(device, 'self-test scratch', this.#numFloats * 4, usage);
    try {
      // what a kernel leaves unwritten must not look right
      const poison = new Float32Array(this.#numFloats).fill(Number.NaN);
      for (const { at, values } of this.#inputs) poison.set(values, at);
      device.queue.writeBuffer(scratch, 0, poison);
      const encoder = device.createCommandEncoder({ label: 'self-test' });
      new Recorder(gpu).record(
        encoder,
        runs.map((run) => this.#bind(run, scratch)),
      );
      device.queue.submit([encoder.finish()]);
      const [floats, words] = await Promise.all([
        readBuffer(device, scratch),
        readBuffer(device, this.#kvBuffer),
      ]);
      return { scratch: new Float32Array(floats), kv: new Uint32Array(words) };
    } finally {
      scratch.destroy();
    }
  }

  destroy(): void {
    this.#stateBuffer.destroy();
    this.#kvBuffer.destroy();
  }

  #bind({ slab, dispatches }: SlabDispatches, scratch: GPUBuffer): BoundDispatches {
    const { gpu, slabs } = this.#request;
    const buffers = [slabs[slab], scratch, this.#kvBuffer, this.#stateBuffer];
    const bindGroup = gpu.device.createBindGroup({
      label: `self-test ${slab}`,
      layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
      entries: buffers.flatMap((buffer, binding) => (buffer ? [{ binding, resource: { buffer } }] : [])),
    });
    return { bindGroup, dispatches };
  }

  #writeState(wordAt: number, words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): void {
    this.#request.gpu.device.queue.writeBuffer(this.#stateBuffer, wordAt * 4, words);
  }
}
