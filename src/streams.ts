import type { Line } from './line';
import type { StreamMessage } from './worker-api';

type Listener = (items: StreamMessage['items']) => void;

/** The page's end of what requests give while they run. They come through the same line as the reply, and before it. */
export class Streams {
  readonly #listeners = new Map<number, Listener>();
  #numOpened = 0;

  constructor(line: Line) {
    line.addEventListener('message', (event) => {
      // Replies have no stream; and of a request that nobody listens to any more, some may still be on their way.
      const { stream, items } = (event as MessageEvent<StreamMessage>).data;
      this.#listeners.get(stream)?.(items);
    });
  }

  /** Names a new stream, for the worker to send to while `work` lasts. */
  async during<T>(listener: Listener, work: (stream: number) => Promise<T>): Promise<T> {
    const stream = ++this.#numOpened;
    this.#listeners.set(stream, listener);
    try {
      return await work(stream);
    } finally {
      this.#listeners.delete(stream);
    }
  }
}
