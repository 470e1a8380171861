import type { Endpoint } from 'comlink';

/**
 * One end of the wall. What is posted in one task travels in one message, so requests that a page makes at once reach the
 * engine at once and share its next step, and a step costs one message however many rows it has. Order is kept.
 */
export class Line extends EventTarget implements Endpoint {
  readonly #port: Endpoint;
  /** Posted in this task. */
  #messages: unknown[] = [];

  /** Default: the end of the worker that this runs in. */
  constructor(port: Endpoint = globalThis as unknown as Endpoint) {
    super();
    this.#port = port;
    port.addEventListener('message', (event) => {
      const { data: messages } = event as MessageEvent<readonly unknown[]>;
      for (const data of messages) this.dispatchEvent(new MessageEvent('message', { data }));
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
    if (this.#messages.push(message) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    if (messages.length > 0) this.#port.postMessage(messages);
  }
}
