import { allocateBuffer, readBuffer, type readPieces } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type BoundDispatches, type Dispatch, pipelinesOf, Recorder } from '../gpu/dispatch';
import { packChunk } from '../kernels/chunk-rows';
import { type KvLayout, type KvShape, kvLayout } from '../kernels/kv-layout';
import { STEP_BINDINGS } from '../kernels/step-bindings';
import { SLOT, SLOT_WORDS, type StateLayout } from '../kernels/step-state';
import type { ModelConfig } from '../models/config';
import { ropeTable } from '../models/rope';
import type { PlacedTensors } from '../weights/packed-tensor';
import { KeyBiasTables, type LayerKeyBias } from './key-bias';
import { planStepMemory } from './step-memory';

/** Tokens that are prefilled: one more than a block holds, so that a block table is needed. One more is decoded. */
export const PREFILL_TOKENS = 33;
/** The table is no identity, so that a kernel which ignores it is found out. */
export const BLOCK_TABLE = [1, 0];
const MIN_CONTEXT = 64;

/** What the dispatches of the self-test follow from: where everything lies, and none of it. */
export interface SelfTestPlaces {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  /** By our names. */
  readonly tensors: PlacedTensors;
  readonly kv: KvShape;
  readonly contextLength: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  /** What each layer of the model keeps out of its cache. */
  readonly keyBias: readonly (LayerKeyBias | null)[];
}

export interface SelfTestRequest extends SelfTestPlaces {
  readonly slabs: readonly GPUBuffer[];
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

/** Numbers for a buffer, at an offset in words. */
interface Placed {
  readonly at: number;
  readonly values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** Memory of the self-test's own, laid out as the model's is, so that its programs fit; there are buffers only while it runs. */
export class SelfTestMemory {
  readonly state: StateLayout;
  readonly kv: KvLayout;
  /** Room that a step has for sums over parts of K, from which their number follows. */
  readonly partFloats: number;
  /** (cos, sin) pairs [PREFILL_TOKENS + 1][rotaryDim / 2]; null without rope. */
  readonly angles: Float32Array<ArrayBuffer> | null;
  /** K bias that a layer of the model keeps out of its cache, of the first that has terms for it; and its table. */
  readonly keyBias: { readonly layer: LayerKeyBias; readonly tables: KeyBiasTables } | null;
  readonly #stateBytes: number;
  readonly #stateInputs: Placed[] = [];
  readonly #inputs: Placed[] = [];
  #numFloats = 0;

  constructor({ config, kv, ...places }: SelfTestPlaces) {
    const layer = places.keyBias.find((bias) => bias !== null && bias.numPairs > 0) ?? null;
    this.keyBias = layer && { layer, tables: new KeyBiasTables(config, [layer]) };
    const plan = planStepMemory(config, {
      contextLength: Math.max(MIN_CONTEXT, places.contextLength),
      maxChunkTokens: Math.max(MIN_CONTEXT, places.maxChunkTokens),
      maxSlots: places.maxSlots,
      blockTokens: kv.blockTokens,
      keyBias: { tableWords: this.keyBias?.tables.words.length ?? 0, rowFloats: 0 },
    });
    this.#stateBytes = plan.stateBytes;
    this.state = plan.layout;
    this.partFloats = plan.regions.partials.stride;
    this.kv = kvLayout({ ...kv, numLayers: 1, numBlocks: BLOCK_TABLE.length });
    const [rope] = config.ropes;
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
    const { chunkAt, partsAt, slotsAt, tablesAt, ropeAt, keyBiasAt } = this.state;
    this.#stateInputs.push(
      { at: chunkAt, values: rows },
      { at: partsAt, values: parts },
      { at: slotsAt, values: slot },
      { at: tablesAt, values: Uint32Array.from(BLOCK_TABLE) },
    );
    if (this.angles) this.#stateInputs.push({ at: ropeAt, values: this.angles });
    if (this.keyBias) this.#stateInputs.push({ at: keyBiasAt, values: this.keyBias.tables.words });
  }

  /** Runs everything in one submit, as soon as the programs of these are compiled. */
  async run({ gpu, slabs }: SelfTestRequest, runs: readonly SlabDispatches[]): Promise<Results> {
    const { device, pipelines } = gpu;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const own: GPUBuffer[] = [];
    const allocate = async (what: string, bytes: number) => {
      const buffer = await allocateBuffer(device, `self-test ${what}`, bytes, usage);
      own.push(buffer);
      return buffer;
    };
    try {
      const scratch = await allocate('scratch', this.#numFloats * 4);
      const kv = await allocate('kv', this.kv.layerWords * 4);
      const state = await allocate('state', this.#stateBytes);
      // what a kernel leaves unwritten must not look right
      const poison = new Float32Array(this.#numFloats).fill(Number.NaN);
      for (const { at, values } of this.#inputs) poison.set(values, at);
      device.queue.writeBuffer(scratch, 0, poison);
      for (const { at, values } of this.#stateInputs) device.queue.writeBuffer(state, at * 4, values);
      const bound = runs.map(({ slab, dispatches }): BoundDispatches => {
        const buffers = [slabs[slab], scratch, kv, state];
        const bindGroup = device.createBindGroup({
          label: `self-test ${slab}`,
          layout: pipelines.bindGroupLayout(STEP_BINDINGS),
          entries: buffers.flatMap((buffer, binding) => (buffer ? [{ binding, resource: { buffer } }] : [])),
        });
        return { bindGroup, dispatches };
      });
      await pipelines.ready(pipelinesOf(runs));
      const encoder = device.createCommandEncoder({ label: 'self-test' });
      new Recorder(gpu).record(encoder, bound);
      device.queue.submit([encoder.finish()]);
      const [floats, words] = await Promise.all([readBuffer(device, scratch), readBuffer(device, kv)]);
      return { scratch: new Float32Array(floats), kv: new Uint32Array(words) };
    } finally {
      for (const buffer of own) buffer.destroy();
    }
  }
}
