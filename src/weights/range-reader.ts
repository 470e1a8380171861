import type { BufferPool } from './buffer-pool';
import type { Answer } from './http-request';

/** Bytes [start, end) of a file, put together from as many answers as it takes. */
export class RangeReader {
  readonly #start: number;
  readonly #end: number;
  readonly #pool: BufferPool | undefined;
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #filled = 0;

  /** The bytes lie in a buffer from `pool`, else in one of their own. */
  constructor(start: number, end: number, pool?: BufferPool) {
    this.#start = start;
    this.#end = end;
    this.#pool = pool;
  }

  /** Bytes that need not be asked for again. */
  get filled(): number {
    return this.#filled;
  }

  /** Range of the next request. */
  get header(): string {
    return `bytes=${this.#start + this.#filled}-${this.#end - 1}`;
  }

  /**
   * Takes a 206 answer to a request for `header`. Throws an ordinary error when bytes are still missing, or when the
   * answer is not what was asked for. Only what Content-Range places is kept for the next request: across origins a server
   * may hide that header, and then there is no telling where the bytes belong.
   */
  async read(answer: Answer): Promise<Uint8Array<ArrayBuffer>> {
    const { response } = answer;
    const wanted = this.#end - this.#start;
    const [from, to] = [this.#start + this.#filled, this.#end - 1];
    const [, first, last] = /^\s*bytes (\d+)-(\d+)\//.exec(response.headers.get('Content-Range') ?? '') ?? [];
    const isPlaced = first !== undefined;
    if (!isPlaced && this.#filled > 0)
      throw await answer.discard(this.#startOver('Content-Range is missing'));
    if (isPlaced && (Number(first) !== from || Number(last) > to || Number(last) < from))
      throw await answer.discard(
        this.#startOver(`the server sent bytes ${first} to ${last} instead of ${from} to ${to}`),
      );
    // allocated only now: a size that a server merely claims must not cost memory
    const bytes = this.#bytes ?? this.#pool?.take(wanted) ?? new Uint8Array(wanted);
    this.#bytes = bytes;
    try {
      await this.#fill(bytes, answer, isPlaced ? Number(last) + 1 - this.#start : wanted);
      if (this.#filled === wanted) return bytes;
      throw new Error(`${this.#filled} bytes came instead of ${wanted}`);
    } catch (thrown) {
      if (!isPlaced) this.#filled = 0;
      throw thrown;
    }
  }

  async #fill(bytes: Uint8Array, answer: Answer, limit: number): Promise<void> {
    for await (const piece of answer.pieces()) {
      if (this.#filled + piece.length > limit) throw this.#startOver('more bytes came than the server said');
      bytes.set(piece, this.#filled);
      this.#filled += piece.length;
    }
  }

  #startOver(reason: string): Error {
    this.#filled = 0;
    return new Error(reason);
  }
}
