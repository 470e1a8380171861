/**
 * Buffers of one size that are used again and again. Left to the collector, buffers of megabytes pile up on a fast load: it
 * runs by the size of its own heap, and what the browser refers to is freed only behind that.
 */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #maxKept: number;
  readonly #kept: ArrayBuffer[] = [];

  /** At most `maxKept` buffers of `bufferBytes` wait for their next use. */
  constructor(bufferBytes: number, maxKept: number) {
    this.#bufferBytes = bufferBytes;
    this.#maxKept = maxKept;
  }

  /** `length` bytes of any content, at the start of a buffer that is nobody else's until it is given back. */
  take(length: number): Uint8Array<ArrayBuffer> {
    // what is larger gets a buffer of its own, and so does what would leave most of one empty
    const fits = length <= this.#bufferBytes && length > this.#bufferBytes / 8;
    const buffer = (fits ? this.#kept.pop() : null) ?? new ArrayBuffer(fits ? this.#bufferBytes : length);
    return new Uint8Array(buffer, 0, length);
  }

  /** Takes back a buffer that nobody uses any more. */
  give({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength === this.#bufferBytes && this.#kept.length < this.#maxKept) this.#kept.push(buffer);
  }
}
