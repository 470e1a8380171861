import { type CodeBlock, repackCalls } from '../../src/weights/code-block';
import { orderName } from '../../src/weights/packed-tensor';
import type { ImageTensor, SlabLayout } from '../../src/weights/slab-layout';
import type { ConversionNeeds, RowBlock } from '../../src/weights/slab-memory';
import type { ConvertibleMemory, WeightDevice } from '../../src/weights/weight-loader';
import { quantizeTwin } from './quantize';
import { repackTwin } from './repack';

/** CPU twin of GpuSlabMemory: the image in one array, packed by the twins of the kernels. */
export class CpuSlabMemory implements ConvertibleMemory {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly layout: SlabLayout;
  needs: ConversionNeeds | null = null;
  destroyed = false;
  /** Rows packed, by tensor. */
  readonly packed = new Map<string, number>();
  #flags = new Uint32Array(0);

  constructor(layout: SlabLayout) {
    this.layout = layout;
    this.image = new Uint8Array(layout.imageBytes);
  }

  async startConversion(needs: ConversionNeeds): Promise<void> {
    this.needs = needs;
    this.#flags = new Uint32Array(needs.numFlags);
  }

  endConversion(): void {
    this.needs = null;
  }

  write(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length % 4 !== 0 || imageOffset % 4 !== 0) throw new Error('not whole words');
    this.image.set(bytes, imageOffset);
  }

  async upload(imageOffset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.write(imageOffset, bytes);
  }

  async uploaded(): Promise<void> {}

  pack(tensor: ImageTensor, block: RowBlock, bytes: Uint8Array<ArrayBuffer>): void {
    if (tensor.format === 'f32' || tensor.format === 'u32') throw new Error('no matrix');
    if (!this.needs || bytes.length > this.needs.maxBlockBytes)
      throw new Error('a block that was not announced');
    this.packed.set(tensor.name, (this.packed.get(tensor.name) ?? 0) + block.rows);
    const words = new Uint32Array(this.image.buffer);
    const codesAt = (tensor.imageOffset + (tensor.codesBytes / tensor.rows) * block.destRow) / 4;
    const scalesAt = (tensor.imageOffset + tensor.codesBytes) / 4 + block.destRow * tensor.numGroups;
    // the twin sets bits; the kernel stores words
    words.fill(0, codesAt, codesAt + ((tensor.codesBytes / tensor.rows) * block.rows) / 4);
    const { dtype, rows, flagAt } = block;
    const { groupSize, cols, paddedCols, format } = tensor;
    quantizeTwin(
      bytes,
      { dtype, format, groupSize, rows, cols, paddedCols, codesAt, scalesAt, flagAt },
      words,
      this.#flags,
    );
  }

  repack(tensor: ImageTensor, block: CodeBlock, bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.needs || bytes.length > this.needs.maxBlockBytes)
      throw new Error('a block that was not announced');
    const order = this.layout.tensors.find(({ name }) => name === orderName(tensor.name));
    const [words, source] = [
      new Uint32Array(this.image.buffer),
      new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2),
    ];
    for (const call of repackCalls(tensor, block, tensor.imageOffset, order?.imageOffset ?? null)) {
      const { layout, permAt } = call;
      if (!this.needs.repacks.some((one) => one.layout === layout && one.permuted === (permAt !== null)))
        throw new Error('a kernel that was not announced');
      this.packed.set(tensor.name, (this.packed.get(tensor.name) ?? 0) + call.rows);
      repackTwin(source, call, words);
    }
  }

  async read(start: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    bytes.set(this.image.subarray(start, start + bytes.length));
  }

  async flags(): Promise<Uint32Array> {
    return this.#flags.slice();
  }

  async settled(): Promise<void> {}

  destroy(): void {
    this.destroyed = true;
  }
}

export class CpuDevice implements WeightDevice<CpuSlabMemory> {
  readonly maxSlabBytes: number;
  readonly made: CpuSlabMemory[] = [];

  constructor(maxSlabBytes = 2 ** 30) {
    this.maxSlabBytes = maxSlabBytes;
  }

  async allocate(layout: SlabLayout): Promise<CpuSlabMemory> {
    const memory = new CpuSlabMemory(layout);
    this.made.push(memory);
    return memory;
  }
}
