import type { BlockTable } from '../kvcache/block-allocator';

/** What a conversation leaves on the GPU between its turns. */
export interface Session {
  readonly id: string;
  readonly blockTable: BlockTable;
  /** Tokens whose keys and values the blocks hold, from position 0. */
  readonly tokenIds: readonly number[];
}

/** Sessions by the time of their last turn. Holding a table keeps its blocks from being reused. */
export class SessionShelf {
  readonly #sessions = new Map<string, Session>();

  get tables(): readonly BlockTable[] {
    return [...this.#sessions.values()].map(({ blockTable }) => blockTable);
  }

  find(id: string): Session | null {
    return this.#sessions.get(id) ?? null;
  }

  /** Puts a session in, as the latest; returns the one of that id that it replaces. */
  put(session: Session): Session | null {
    const replaced = this.take(session.id);
    this.#sessions.set(session.id, session);
    return replaced;
  }

  take(id: string): Session | null {
    const session = this.find(id);
    this.#sessions.delete(id);
    return session;
  }

  /** The session whose last turn is longest ago. */
  takeOldest(): Session | null {
    const [oldest] = this.#sessions.keys();
    return oldest === undefined ? null : this.take(oldest);
  }
}
