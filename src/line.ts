import type { Endpoint } from 'comlink';

type Listener = Parameters<Endpoint['addEventListener']>[1];

/**
 * One end of the wall. What is posted in one task travels in one message, so requests that a page makes at once reach the
 * engine at once and share its next step, and a step costs one message however many rows it has. Order is kept.
 */
export class Line implements Endpoint {
  readonly #port: Endpoint;
  readonly #listeners = new Set<Listener>();
  /** Posted in this task. */
  #messages: unknown[] = [];

  /** Default: the end of the worker that this runs in. */
  constructor(port: Endpoint = globalThis as unknown as Endpoint) {
    this.#port = port;
    port.addEventListener('message', (event) => {
      for (const data of (event as MessageEvent<readonly unknown[]>).data) this.#deliver(data);
    });
    port.start?.();
  }

  /** Throws a DataCloneError at once, to whom the message belongs: later it would take others with it. */
  postMessage(message: unknown, transfer: Transferable[] = []): void {
    if (transfer.length === 0) {
      structuredClone(message);
      this.send(message);
      return;
    }
    this.#flush();
    this.#port.postMessage([message], transfer);
  }

  /** Posts what is plain data for certain. */
  send(message: unknown): void {
    if (this.#messages.length === 0) queueMicrotask(() => this.#flush());
    this.#messages.push(message);
  }

  addEventListener(_type: string, listener: Listener): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: string, listener: Listener): void {
    this.#listeners.delete(listener);
  }

  #flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    if (messages.length > 0) this.#port.postMessage(messages);
  }

  #deliver(data: unknown): void {
    const event = new MessageEvent('message', { data });
    for (const listener of [...this.#listeners])
      try {
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      } catch (thrown) {
        // It must be seen, and not keep the rest from being heard.
        queueMicrotask(() => {
          throw thrown;
        });
      }
  }
}
