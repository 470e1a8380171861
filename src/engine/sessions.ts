import type { BlockAllocator } from '../kvcache/block-allocator';
import type { Seating } from './seating';
import type { Session } from './session-shelf';

/** Conversations whose keys and values stay on the GPU between turns, as seen from outside the engine. */
export class Sessions {
  readonly #seating: Seating;
  readonly #allocator: BlockAllocator;
  /** Work that must end before the blocks may go. */
  readonly #work: Set<Promise<unknown>>;
  readonly #settle: (id: string) => Promise<void>;

  /** `settle` resolves when no step of a finished turn of the session is in flight. */
  constructor(
    seating: Seating,
    allocator: BlockAllocator,
    work: Set<Promise<unknown>>,
    settle: (id: string) => Promise<void>,
  ) {
    this.#seating = seating;
    this.#settle = settle;
    this.#allocator = allocator;
    this.#work = work;
  }

  /** What a session holds on the GPU now; null when there is none. */
  find(id: string): Session | null {
    return this.#seating.findSession(id);
  }

  /**
   * Lets `read` have a session, with all that its finished turns have left, whose blocks stay as they are until it resolves;
   * null when there is none.
   */
  async read<T>(id: string, read: (session: Session) => Promise<T>): Promise<T | null> {
    await this.#settle(id);
    const session = this.find(id);
    if (session === null) return null;
    const held = this.#seating.hold(session);
    const work = read(session).finally(() => {
      this.#work.delete(work);
      this.#seating.letGo(held);
    });
    this.#work.add(work);
    return work;
  }

  /**
   * Keeps a session whose keys and values come from elsewhere: `write` puts those of `tokenIds` into the blocks, or has
   * submitted it when it returns. False when there is no room.
   */
  restore(id: string, tokenIds: readonly number[], write: (blockIds: readonly number[]) => void): boolean {
    const blockTable = this.#seating.allocateSession(tokenIds);
    if (blockTable === null) return false;
    try {
      write(blockTable.blockIds);
    } catch (thrown) {
      this.#allocator.free(blockTable);
      throw thrown;
    }
    this.#seating.adopt({ id, blockTable, tokenIds: [...tokenIds] });
    return true;
  }

  /** Gives up what a session holds; false when there is no such session. */
  drop(id: string): boolean {
    return this.#seating.dropSession(id);
  }
}
