import type { ModelSource } from './source';

/** Lets reads through, or holds them up while a load is paused. */
export class LoadGate {
  #closed: { readonly opened: Promise<void>; readonly open: () => void } | null = null;

  get isClosed(): boolean {
    return this.#closed !== null;
  }

  pause(): void {
    if (this.#closed) return;
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#closed = { opened, open };
  }

  resume(): void {
    this.#closed?.open();
    this.#closed = null;
  }

  /** Resolves while open. Throws the signal's reason when it is aborted in the meantime. */
  async pass(signal: AbortSignal | undefined): Promise<void> {
    while (this.#closed) {
      const { opened } = this.#closed;
      await (signal ? Promise.race([opened, abortion(signal)]) : opened);
    }
    signal?.throwIfAborted();
  }
}

/** Reads of `source` wait at the gate before they begin; those under way are finished. */
export function gatedSource(source: ModelSource, gate: LoadGate): ModelSource {
  const { list } = source;
  return {
    id: source.id,
    readText: async (path, signal) => {
      await gate.pass(signal);
      return source.readText(path, signal);
    },
    tryReadText: async (path, signal) => {
      await gate.pass(signal);
      return source.tryReadText(path, signal);
    },
    size: async (path, signal) => {
      await gate.pass(signal);
      return source.size(path, signal);
    },
    readRange: async (path, start, end, signal, pool) => {
      await gate.pass(signal);
      return source.readRange(path, start, end, signal, pool);
    },
    ...(list
      ? {
          list: async (signal?: AbortSignal) => {
            await gate.pass(signal);
            return list.call(source, signal);
          },
        }
      : {}),
  };
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
