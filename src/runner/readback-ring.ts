/** Buffers that carry a few words per step back to the host without stalling the steps behind. */
export class ReadbackRing {
  readonly #device: GPUDevice;
  readonly #sizeBytes: number;
  readonly #free: GPUBuffer[] = [];

  constructor(device: GPUDevice, sizeBytes: number) {
    this.#device = device;
    this.#sizeBytes = Math.max(16, sizeBytes);
  }

  /** A buffer to record copies into; call `read` after the submit. The ring grows to as many as are in flight. */
  take(): GPUBuffer {
    return (
      this.#free.pop() ??
      this.#device.createBuffer({
        label: 'readback ring',
        size: this.#sizeBytes,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      })
    );
  }

  async read(buffer: GPUBuffer, sizeBytes: number): Promise<Uint32Array> {
    await buffer.mapAsync(GPUMapMode.READ, 0, sizeBytes);
    const words = new Uint32Array(buffer.getMappedRange(0, sizeBytes).slice(0));
    buffer.unmap();
    this.#free.push(buffer);
    return words;
  }

  destroy(): void {
    for (const buffer of this.#free) buffer.destroy();
    this.#free.length = 0;
  }
}
