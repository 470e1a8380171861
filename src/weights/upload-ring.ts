import { TabmindError } from '../errors';
import { allocateBuffer } from '../gpu/buffer';

/** Buffers of staging memory; while one is copied from, the next is filled. */
const MAX_BUFFERS = 3;

/**
 * Writes into GPU buffers through a few buffers that are mapped, filled and copied from in turn. `queue.writeBuffer`
 * copies the bytes twice more on the way to the GPU process, and nothing bounds what it has queued.
 */
export class UploadRing {
  readonly #device: GPUDevice;
  readonly #stagingBytes: number;
  /** Oldest first; each resolves when the buffer is mapped. */
  readonly #turns: Promise<GPUBuffer>[] = [];
  readonly #buffers: GPUBuffer[] = [];

  /** `stagingBytes` of each buffer, a multiple of 16. Nothing is allocated before the first write. */
  constructor(device: GPUDevice, stagingBytes: number) {
    this.#device = device;
    this.#stagingBytes = stagingBytes;
  }

  /**
   * Writes to a COPY_DST buffer; offset and length are multiples of 4. Resolves when `bytes` may be used again, which is
   * when there is room for the next ones; copies happen in the order of the calls. One call at a time. Throws
   * `out-of-memory`.
   */
  async write(target: GPUBuffer, offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length; at += this.#stagingBytes) {
      const piece = bytes.subarray(at, at + this.#stagingBytes);
      const staging = await this.#nextMapped();
      new Uint8Array(staging.getMappedRange(0, piece.length)).set(piece);
      staging.unmap();
      const encoder = this.#device.createCommandEncoder({ label: 'upload' });
      encoder.copyBufferToBuffer(staging, 0, target, offset + at, piece.length);
      this.#device.queue.submit([encoder.finish()]);
      const turn = mapped(staging);
      // a map that ends because the ring is destroyed is nobody's failure; any other is thrown where its turn comes
      turn.catch(() => undefined);
      this.#turns.push(turn);
    }
  }

  /** Resolves when all copies are done. */
  async settled(): Promise<void> {
    await Promise.all(this.#turns);
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.length = 0;
    this.#turns.length = 0;
  }

  async #nextMapped(): Promise<GPUBuffer> {
    if (this.#buffers.length === MAX_BUFFERS) return this.#turns.shift() ?? this.#make();
    return this.#make();
  }

  async #make(): Promise<GPUBuffer> {
    const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
    const buffer = await allocateBuffer(this.#device, 'upload staging', this.#stagingBytes, usage);
    this.#buffers.push(buffer);
    return mapped(buffer);
  }
}

async function mapped(buffer: GPUBuffer): Promise<GPUBuffer> {
  try {
    await buffer.mapAsync(GPUMapMode.WRITE);
  } catch (cause) {
    throw new TabmindError('device-lost', 'The graphics card stopped taking weights.', {
      meaning: 'The connection to it was lost while the model was loaded.',
      remedy: 'Load the model again.',
      cause,
    });
  }
  return buffer;
}
