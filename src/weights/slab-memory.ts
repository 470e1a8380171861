import { TabmindError } from '../errors';
import { allocateBuffer, readBuffer, readInto } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type Dispatch, Recorder } from '../gpu/dispatch';
import { type FloatDtype, QUANTIZE_BINDINGS, quantize, quantizePipeline } from '../kernels/quantize';
import { type CodeLayout, repack, repackPipeline } from '../kernels/repack';
import { type CodeBlock, repackCalls } from './code-block';
import { orderName } from './packed-tensor';
import { type ImageTensor, type SlabLayout, slabRanges } from './slab-layout';
import { UploadRing } from './upload-ring';

/** Rows of a checkpoint matrix on their way into a packed tensor. */
export interface RowBlock {
  readonly dtype: FloatDtype;
  readonly destRow: number;
  readonly rows: number;
  /** Which flag word tells of values that cannot be packed. */
  readonly flagAt: number;
}

/** The memory that holds the weights' image. Work is done in the order of the calls. */
export interface SlabMemory {
  /** Writes at an offset of the image; length a multiple of 4. */
  write(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** write() for large pieces, one after another: resolves when there is room for the next. */
  upload(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Resolves when all uploads have arrived; what they needed is given back. */
  uploaded(): Promise<void>;
  /** Packs rows into their place. */
  pack(tensor: ImageTensor, block: RowBlock, bytes: Uint8Array<ArrayBuffer>): void;
  /** Moves 4-bit codes into their rows; where the tensor has a column order, that was written before. */
  repack(tensor: ImageTensor, block: CodeBlock, bytes: Uint8Array<ArrayBuffer>): void;
  /** Fills `bytes` with the image from `start` on, as it is after all work called for so far. */
  read(start: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  flags(): Promise<Uint32Array>;
  /** Resolves when all work called for so far is done. */
  settled(): Promise<void>;
}

/** Largest piece that is uploaded at once. */
const STAGING_BYTES = 16 * 2 ** 20;

/** The image in GPU buffers. */
export class GpuSlabMemory implements SlabMemory {
  readonly slabs: readonly GPUBuffer[];
  readonly #gpu: Gpu;
  readonly #layout: SlabLayout;
  readonly #recorder: Recorder;
  /** Present while converting. */
  #conversion: Conversion | null = null;
  /** Present between the first upload and `uploaded()`. */
  #uploads: UploadRing | null = null;

  private constructor(gpu: Gpu, layout: SlabLayout, slabs: readonly GPUBuffer[]) {
    this.#gpu = gpu;
    this.#layout = layout;
    this.#recorder = new Recorder(gpu);
    this.slabs = slabs;
  }

  /** Allocates the slabs, zeroed. Throws `out-of-memory`; nothing stays allocated then. */
  static async allocate(gpu: Gpu, layout: SlabLayout): Promise<GpuSlabMemory> {
    const slabs: GPUBuffer[] = [];
    try {
      for (const [index, { sizeBytes }] of layout.slabs.entries())
        slabs.push(await allocateBuffer(gpu.device, `weights ${index}`, sizeBytes, slabUsage()));
    } catch (thrown) {
      for (const slab of slabs) slab.destroy();
      throw thrown;
    }
    return new GpuSlabMemory(gpu, layout, slabs);
  }

  /** Makes room for conversion: a block of checkpoint rows of at most `maxBlockBytes`, and the flags. */
  async startConversion(needs: ConversionNeeds): Promise<void> {
    const { device, pipelines } = this.#gpu;
    const programs = [
      ...needs.programs.map(({ dtype, format, groupSize }) =>
        quantizePipeline(this.#gpu, dtype, format, groupSize),
      ),
      ...needs.repacks.map(({ layout, permuted }) => repackPipeline(this.#gpu, layout, permuted)),
    ];
    const flags = await allocateBuffer(device, 'conversion flags', needs.numFlags * 4, slabUsage());
    const source = await allocateBuffer(device, 'checkpoint rows', needs.maxBlockBytes, slabUsage()).catch(
      (thrown: unknown) => {
        flags.destroy();
        throw thrown;
      },
    );
    const layout = pipelines.bindGroupLayout(QUANTIZE_BINDINGS);
    const bindGroups = this.slabs.map((slab) =>
      device.createBindGroup({
        layout,
        entries: [source, flags, slab].map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
    );
    this.#conversion = { source, flags, bindGroups };
    await pipelines.ready(programs);
  }

  endConversion(): void {
    this.#conversion?.source.destroy();
    this.#conversion?.flags.destroy();
    this.#conversion = null;
  }

  write(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): void {
    for (const range of slabRanges(this.#layout, imageOffset, imageOffset + bytes.length)) {
      const piece = bytes.subarray(range.start - imageOffset, range.end - imageOffset);
      this.#gpu.device.queue.writeBuffer(this.#slab(range.slab), range.offset, piece);
    }
  }

  async upload(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const stagingBytes = Math.min(STAGING_BYTES, this.#layout.imageBytes);
    this.#uploads ??= new UploadRing(this.#gpu.device, stagingBytes);
    for (const range of slabRanges(this.#layout, imageOffset, imageOffset + bytes.length)) {
      const piece = bytes.subarray(range.start - imageOffset, range.end - imageOffset);
      await this.#uploads.write(this.#slab(range.slab), range.offset, piece);
    }
  }

  async uploaded(): Promise<void> {
    await this.#uploads?.settled();
    this.#uploads?.destroy();
    this.#uploads = null;
  }

  pack(tensor: ImageTensor, block: RowBlock, bytes: Uint8Array<ArrayBuffer>): void {
    const { format } = tensor;
    if (format === 'f32' || format === 'u32')
      throw new TabmindError('internal', `${tensor.name} is no matrix`);
    const rowBytes = tensor.codesBytes / tensor.rows;
    const scalesAt = tensor.byteOffset + tensor.codesBytes + block.destRow * tensor.numGroups * 4;
    const dispatch = quantize(this.#gpu, {
      dtype: block.dtype,
      format,
      groupSize: tensor.groupSize,
      rows: block.rows,
      cols: tensor.cols,
      paddedCols: tensor.paddedCols,
      codesAt: (tensor.byteOffset + block.destRow * rowBytes) / 4,
      scalesAt: scalesAt / 4,
      flagAt: block.flagAt,
    });
    this.#run(tensor, [dispatch], bytes);
  }

  repack(tensor: ImageTensor, block: CodeBlock, bytes: Uint8Array<ArrayBuffer>): void {
    const order = this.#layout.tensors.find(({ name }) => name === orderName(tensor.name));
    const calls = repackCalls(tensor, block, tensor.byteOffset, order?.byteOffset ?? null);
    this.#run(
      tensor,
      calls.map((call) => repack(this.#gpu, call)),
      bytes,
    );
  }

  /** Uploads checkpoint bytes and runs kernels that read them into the slab of `tensor`. */
  #run(tensor: ImageTensor, dispatches: readonly Dispatch[], bytes: Uint8Array<ArrayBuffer>): void {
    const { source, bindGroups } = this.#requireConversion();
    const bindGroup = bindGroups[tensor.slab];
    if (!bindGroup) throw new TabmindError('internal', `no slab ${tensor.slab}`);
    const { device } = this.#gpu;
    device.queue.writeBuffer(source, 0, padToWords(bytes));
    const encoder = device.createCommandEncoder({ label: `convert ${tensor.name}` });
    this.#recorder.record(encoder, [{ bindGroup, dispatches }]);
    device.queue.submit([encoder.finish()]);
  }

  async read(start: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const ranges = slabRanges(this.#layout, start, start + bytes.length);
    await Promise.all(
      ranges.map((range) => {
        const piece = bytes.subarray(range.start - start, range.end - start);
        return readInto(this.#gpu.device, this.#slab(range.slab), range.offset, piece);
      }),
    );
  }

  async flags(): Promise<Uint32Array> {
    return new Uint32Array(await readBuffer(this.#gpu.device, this.#requireConversion().flags));
  }

  settled(): Promise<void> {
    return this.#gpu.device.queue.onSubmittedWorkDone();
  }

  destroy(): void {
    this.endConversion();
    this.#uploads?.destroy();
    this.#uploads = null;
    for (const slab of this.slabs) slab.destroy();
  }

  #slab(index: number): GPUBuffer {
    const slab = this.slabs[index];
    if (!slab) throw new TabmindError('internal', `no slab ${index}`);
    return slab;
  }

  #requireConversion(): Conversion {
    if (!this.#conversion) throw new TabmindError('internal', 'conversion was not started');
    return this.#conversion;
  }
}

export interface ConversionNeeds {
  readonly maxBlockBytes: number;
  readonly numFlags: number;
  readonly programs: readonly {
    readonly dtype: FloatDtype;
    readonly format: 'w4' | 'w8' | 'w16';
    readonly groupSize: number;
  }[];
  readonly repacks: readonly { readonly layout: CodeLayout; readonly permuted: boolean }[];
}

interface Conversion {
  readonly source: GPUBuffer;
  readonly flags: GPUBuffer;
  /** One for each slab. */
  readonly bindGroups: readonly GPUBindGroup[];
}

/** COPY_SRC for the readback into the cache. */
function slabUsage(): GPUBufferUsageFlags {
  return GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
}

function padToWords(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return padded;
}
