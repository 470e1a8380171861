import type { MessageRecord } from '../storage/conversation-record';
import type { ConversationStore } from '../storage/conversation-store';
import type { Note } from './archive';
import { folded } from './folding';
import { WorkQueue } from './work-queue';

/** A message as it is searched. */
export interface IndexedMessage {
  readonly id: string;
  readonly createdMs: number;
  readonly text: string;
  /** The same text as it is compared. */
  readonly folded: string;
}

type Messages = Map<string, IndexedMessage>;

/** What the index reads. */
export type SearchedStore = Pick<ConversationStore, 'messages' | 'someMessages'>;

function indexed({ id, createdMs, text }: MessageRecord): IndexedMessage {
  const same = folded(text);
  // one string where both are alike, as in most Chinese text
  return { id, createdMs, text, folded: same === text ? text : same };
}

/**
 * The texts of all messages, read once and then kept current: what was written since is noted, and read with the next
 * search. Searching touches no storage as long as nothing was written.
 */
export class SearchIndex {
  readonly #store: SearchedStore;
  /** Conversation → its messages; null before the first search, and when all may have changed. */
  #texts: Map<string, Messages> | null = null;
  /** Conversation → messages that must be read again. */
  #stale = new Map<string, Set<string> | 'all'>();
  /** Reads follow each other, so that an older one never overwrites a newer one. */
  readonly #reads = new WorkQueue();

  constructor(store: SearchedStore) {
    this.#store = store;
  }

  /** Takes notice of what was written, by this tab or another. */
  note({ kind, conversation, ids }: Note): void {
    if (kind === 'all') {
      this.#texts = null;
      this.#stale.clear();
    } else if (kind === 'deleted' || ids === undefined) {
      this.#stale.set(conversation, 'all');
    } else if (ids.length > 0) {
      const known = this.#stale.get(conversation);
      if (known === 'all') return;
      this.#stale.set(conversation, new Set([...(known ?? []), ...ids]));
    }
  }

  /** Conversations → those of their messages that hold `words` (folded), the newest first. Rejects with the storage's error. */
  async find(words: string): Promise<ReadonlyMap<string, readonly IndexedMessage[]>> {
    const texts = await this.#current();
    const found = new Map<string, readonly IndexedMessage[]>();
    for (const [conversation, messages] of texts) {
      const holding = [...messages.values()].filter((message) => message.folded.includes(words));
      if (holding.length === 0) continue;
      found.set(
        conversation,
        holding.sort((one, other) => other.createdMs - one.createdMs),
      );
    }
    return found;
  }

  #current(): Promise<ReadonlyMap<string, Messages>> {
    return this.#reads.add(() => (this.#texts === null ? this.#readAll() : this.#readStale()));
  }

  async #readAll(): Promise<ReadonlyMap<string, Messages>> {
    const texts = new Map<string, Messages>();
    // what is written while this reads must be read once more
    this.#texts = texts;
    this.#stale.clear();
    try {
      const { items } = await this.#store.messages();
      for (const item of items) {
        const messages = texts.get(item.conversation);
        if (messages === undefined) texts.set(item.conversation, new Map([[item.id, indexed(item)]]));
        else messages.set(item.id, indexed(item));
      }
      return texts;
    } catch (thrown) {
      if (this.#texts === texts) this.#texts = null;
      throw thrown;
    }
  }

  async #readStale(): Promise<ReadonlyMap<string, Messages>> {
    const texts = this.#texts ?? new Map<string, Messages>();
    const stale = this.#stale;
    this.#stale = new Map();
    try {
      for (const [conversation, ids] of stale) await this.#read(texts, conversation, ids);
      return texts;
    } catch (thrown) {
      this.#texts = null;
      throw thrown;
    }
  }

  async #read(
    texts: Map<string, Messages>,
    conversation: string,
    ids: ReadonlySet<string> | 'all',
  ): Promise<void> {
    const { items } = await (ids === 'all'
      ? this.#store.messages(conversation)
      : this.#store.someMessages(conversation, [...ids]));
    const messages: Messages = new Map(ids === 'all' ? [] : texts.get(conversation));
    if (ids !== 'all') for (const id of ids) messages.delete(id);
    for (const item of items) messages.set(item.id, indexed(item));
    if (messages.size === 0) texts.delete(conversation);
    else texts.set(conversation, messages);
  }
}
