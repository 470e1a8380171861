import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';
import { type HeadRecord, type MessageRecord, readHead, readMessage } from './conversation-record';
import { allRecords, beginGeneration, type Generation, generationOf, WipedError } from './generation';

/** What a store holds, and how many of its records only a newer page can read. */
export interface Read<Item> {
  readonly items: readonly Item[];
  readonly numUnknown: number;
}

/** Key of a message: its conversation first, so that one range holds all of them. */
type MessageKey = readonly [conversation: string, message: string];

const rangeOf = (conversation: string): IDBKeyRange => IDBKeyRange.bound([conversation], [conversation, []]);

function read<Item>(values: readonly unknown[], readOne: (value: unknown) => Item | null): Read<Item> {
  const items = values.flatMap((value) => readOne(value) ?? []);
  return { items, numUnknown: values.length - items.length };
}

/**
 * Conversations in IndexedDB: a head each, and every message under a key of its own, so that two tabs that write to one
 * conversation add to it instead of replacing each other's work. Methods reject with the browser's error; those that write
 * take the generation that their records are of, and reject with `WipedError` when everything was deleted since.
 */
export class ConversationStore {
  readonly #heads: UseStore;
  readonly #messages: UseStore;

  constructor(name = 'tabmind-conversations') {
    this.#heads = createStore(name, 'heads');
    this.#messages = createStore(`${name}-messages`, 'messages');
  }

  /** All heads, and the generation that they are of. */
  async heads(): Promise<Read<HeadRecord> & { readonly generation: Generation }> {
    const [values, generation] = await this.#heads('readonly', (store) =>
      Promise.all([promisifyRequest<unknown[]>(store.getAll(allRecords())), generationOf(store)]),
    );
    return { ...read(values, readHead), generation };
  }

  /**
   * The generation of all that is stored. Heads and messages lie in databases of their own, which no transaction spans: where
   * a wipe got as far as the heads only, because its tab was closed, what is left of it is done here. Tabs that do so at
   * once do no harm: a step is taken only where no other has been taken meanwhile.
   */
  async generation(): Promise<Generation> {
    for (;;) {
      const found = await this.#messages('readonly', generationOf);
      const current = await this.#heads('readonly', generationOf);
      if (found === current) return current;
      await this.#messages('readwrite', async (store) => {
        if ((await generationOf(store)) === found) await beginGeneration(store, current);
      });
    }
  }

  async #write<T>(
    database: UseStore,
    since: Generation,
    act: (store: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const done = await database('readwrite', async (store) =>
        (await generationOf(store)) === since ? { result: await act(store) } : null,
      );
      if (done !== null) return done.result;
      // only the messages may be behind
      if ((await this.generation()) !== since) throw new WipedError();
    }
  }

  async head(id: string): Promise<HeadRecord | null> {
    return readHead(await this.#heads('readonly', (store) => promisifyRequest(store.get(id))));
  }

  /** Messages of one conversation, or of all. */
  async messages(conversation?: string): Promise<Read<MessageRecord>> {
    const range = conversation === undefined ? allRecords() : rangeOf(conversation);
    const values = await this.#messages('readonly', (store) => promisifyRequest(store.getAll(range)));
    return read(values, readMessage);
  }

  /** Those of `ids` that are there, in one transaction. */
  async someMessages(conversation: string, ids: readonly string[]): Promise<Read<MessageRecord>> {
    const values = await this.#messages('readonly', (store) =>
      Promise.all(ids.map((id) => promisifyRequest<unknown>(store.get([conversation, id])))),
    );
    return read(
      values.filter((value) => value !== undefined),
      readMessage,
    );
  }

  /**
   * Writes only the fields that changed over what is stored now, in one transaction: another tab's change of another
   * field stays. A head that this version cannot read is left alone, and false returned.
   */
  changeHead(whole: HeadRecord, patch: Partial<HeadRecord>, since: Generation): Promise<boolean> {
    return this.#write(this.#heads, since, async (store) => {
      const stored: unknown = await promisifyRequest(store.get(whole.id));
      const known = readHead(stored);
      if (stored !== undefined && known === null) return false;
      await promisifyRequest(store.put({ ...(known ?? whole), ...patch }, whole.id));
      return true;
    });
  }

  putMessages(records: readonly MessageRecord[], since: Generation): Promise<void> {
    return this.#write(this.#messages, since, (store) => {
      for (const record of records) store.put(record, keyOf(record));
      return promisifyRequest(store.transaction);
    });
  }

  /** Puts only those that are not there yet; resolves to how many that were. */
  addMessages(records: readonly MessageRecord[], since: Generation): Promise<number> {
    return this.#putWhere(records, false, since);
  }

  /** Puts only those that are there already: what another tab has deleted stays deleted. */
  updateMessages(records: readonly MessageRecord[], since: Generation): Promise<number> {
    return this.#putWhere(records, true, since);
  }

  #putWhere(records: readonly MessageRecord[], isThere: boolean, since: Generation): Promise<number> {
    return this.#write(this.#messages, since, async (store) => {
      let numPut = 0;
      for (const record of records) {
        const key = await promisifyRequest(store.getKey(keyOf(record)));
        if ((key !== undefined) !== isThere) continue;
        await promisifyRequest(store.put(record, keyOf(record)));
        numPut++;
      }
      return numPut;
    });
  }

  async deleteMessages(conversation: string, ids: readonly string[]): Promise<void> {
    await this.#messages('readwrite', (store) => {
      for (const id of ids) store.delete([conversation, id]);
      return promisifyRequest(store.transaction);
    });
  }

  /** The head goes first: a conversation without messages would be worse than messages without a conversation. */
  async delete(conversation: string): Promise<void> {
    await this.#heads('readwrite', (store) => promisifyRequest(store.delete(conversation)));
    await this.#messages('readwrite', (store) => promisifyRequest(store.delete(rangeOf(conversation))));
  }

  /**
   * Deletes everything, and resolves to the generation that begins with that. From the first of its two steps on nothing older
   * is listed or written; the second is taken by the next visit where it fails here.
   */
  async clear(): Promise<Generation> {
    await this.#heads('readwrite', (store) => beginGeneration(store, crypto.randomUUID()));
    return this.generation();
  }
}

function keyOf({ conversation, id }: MessageRecord): [...MessageKey] {
  return [conversation, id];
}
