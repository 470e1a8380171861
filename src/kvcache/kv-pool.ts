import { TabmindError } from '../errors';
import { allocateBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type KvLayout, type KvShape, kvLayout } from '../kernels/kv-layout';

export { type KvShape, kvLayout } from '../kernels/kv-layout';

/** Which layers share a buffer: slab i holds layers [firstLayer, firstLayer + numLayers). */
export interface SlabPlan {
  readonly firstLayer: number;
  readonly numLayers: number;
  readonly sizeBytes: number;
}

/** Deals whole layers evenly to as few slabs as the limit allows. Throws `device-limits` when a layer is larger. */
export function planSlabs(layout: KvLayout, maxSlabBytes: number): readonly SlabPlan[] {
  const layerBytes = layout.layerWords * 4;
  const perSlab = Math.floor(maxSlabBytes / layerBytes);
  if (perSlab === 0)
    throw new TabmindError(
      'device-limits',
      `One layer's cache of ${layerBytes} bytes exceeds ${maxSlabBytes} bytes.`,
      {
        meaning: 'The graphics card cannot bind a cache for so many tokens at once.',
        remedy: 'Choose a shorter context or fewer sequences.',
        details: { layerBytes, maxSlabBytes },
      },
    );
  const numSlabs = Math.ceil(layout.numLayers / perSlab);
  const plans: SlabPlan[] = [];
  let firstLayer = 0;
  for (let slab = 0; slab < numSlabs; slab++) {
    const numLayers = Math.ceil((layout.numLayers - firstLayer) / (numSlabs - slab));
    plans.push({ firstLayer, numLayers, sizeBytes: numLayers * layerBytes });
    firstLayer += numLayers;
  }
  return plans;
}

/** Blocks are read in parts of this size at most. */
const MAX_READ_BYTES = 32 * 2 ** 20;

/** The GPU memory of the paged cache: allocated once, never grown. Block ids count 0 … numBlocks − 1 in every layer. */
export class KvPool {
  readonly shape: KvShape;
  readonly layout: KvLayout;
  readonly plans: readonly SlabPlan[];
  /** One buffer for each slab. */
  readonly slabs: readonly GPUBuffer[];
  readonly bytes: number;
  readonly #device: GPUDevice;

  private constructor(
    device: GPUDevice,
    layout: KvLayout,
    plans: readonly SlabPlan[],
    slabs: readonly GPUBuffer[],
  ) {
    this.#device = device;
    this.shape = layout;
    this.layout = layout;
    this.plans = plans;
    this.slabs = slabs;
    this.bytes = plans.reduce((sum, plan) => sum + plan.sizeBytes, 0);
  }

  /** Throws `device-limits` or `out-of-memory`; nothing stays allocated then. */
  static async allocate(gpu: Gpu, shape: KvShape): Promise<KvPool> {
    const layout = kvLayout(shape);
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
    const plans = planSlabs(layout, Math.min(maxBufferSize, maxStorageBufferBindingSize));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const slabs: GPUBuffer[] = [];
    try {
      for (const [slab, { sizeBytes }] of plans.entries())
        slabs.push(await allocateBuffer(gpu.device, `kv ${slab}`, sizeBytes, usage));
    } catch (error) {
      for (const slab of slabs) slab.destroy();
      throw error;
    }
    return new KvPool(gpu.device, layout, plans, slabs);
  }

  /** Index into `slabs`. */
  slabOf(layer: number): number {
    const slab = this.plans.findIndex(
      ({ firstLayer, numLayers }) => layer >= firstLayer && layer < firstLayer + numLayers,
    );
    if (slab < 0) throw new TabmindError('internal', `the KV pool has no layer ${layer}`);
    return slab;
  }

  /** Word offset of a layer's block 0 in its slab. */
  layerAt(layer: number): number {
    const plan = this.plans[this.slabOf(layer)];
    return (layer - (plan?.firstLayer ?? 0)) * this.layout.layerWords;
  }

  /** Contents of blocks, [blocks][layers][blockWords]; `blockBytes` each. Nothing may change them meanwhile. */
  async readBlocks(blockIds: readonly number[]): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = this.layout.blockWords * 4;
    const all = new Uint8Array(blockIds.length * this.layout.blockBytes);
    const perRead = Math.max(1, Math.floor(MAX_READ_BYTES / this.layout.blockBytes));
    for (let first = 0; first < blockIds.length; first += perRead) {
      const part = blockIds.slice(first, first + perRead);
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const staging = await allocateBuffer(
        this.#device,
        'kv readback',
        part.length * this.layout.blockBytes,
        usage,
      );
      const encoder = this.#device.createCommandEncoder();
      for (const [i, { buffer, offset }] of part.flatMap((block) => this.#places(block)).entries())
        encoder.copyBufferToBuffer(buffer, offset, staging, i * bytes, bytes);
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      all.set(
        new Uint8Array(staging.getMappedRange(), 0, part.length * this.layout.blockBytes),
        first * this.layout.blockBytes,
      );
      staging.destroy();
    }
    return all;
  }

  /** The reverse of `readBlocks`: done before whatever is submitted from now on. */
  writeBlocks(blockIds: readonly number[], contents: Uint8Array<ArrayBuffer>): void {
    const bytes = this.layout.blockWords * 4;
    if (contents.byteLength !== blockIds.length * this.layout.blockBytes)
      throw new TabmindError(
        'internal',
        `${contents.byteLength} bytes are not the contents of ${blockIds.length} KV blocks`,
      );
    for (const [i, { buffer, offset }] of blockIds.flatMap((block) => this.#places(block)).entries())
      this.#device.queue.writeBuffer(buffer, offset, contents, i * bytes, bytes);
  }

  /** Where the block lies, layer after layer; offsets in bytes. */
  #places(block: number): readonly { readonly buffer: GPUBuffer; readonly offset: number }[] {
    return this.plans.flatMap(({ numLayers }, slab) => {
      const buffer = this.slabs[slab];
      if (buffer === undefined) throw new TabmindError('internal', `the KV pool has no slab ${slab}`);
      return Array.from({ length: numLayers }, (_, layer) => ({
        buffer,
        offset: (layer * this.layout.layerWords + block * this.layout.blockWords) * 4,
      }));
    });
  }

  destroy(): void {
    for (const slab of this.slabs) slab.destroy();
  }
}
