import { clear, createStore, del, entries, get, set, type UseStore, values } from 'idb-keyval';
import { TabmindError } from '../errors';
import type { SavedConversations } from '../protocol';
import { sha256 } from '../weights/digest';
import { guardStorage } from '../weights/storage-guard';

/** A conversation as it lies on the GPU. */
export interface SavedSession {
  readonly tokenIds: readonly number[];
  /** Its blocks, [blocks][layers][blockWords]. */
  readonly contents: Uint8Array<ArrayBuffer>;
}

interface SessionRecord {
  /** All that decides what the bytes mean: model, packing, layout. */
  readonly key: string;
  readonly tokenIds: Uint32Array<ArrayBuffer>;
  /** SHA-256 of the ids, then of the contents. */
  readonly hash: string;
  readonly contents: Blob;
  /** When it was written; left out in records that are older than this field. */
  readonly savedMs?: number;
}

/** Another conversation as far as making room needs it. */
interface Stored {
  readonly id: string;
  readonly bytes: number;
}

/**
 * Conversations in IndexedDB, so that they go on after a reload without being computed again. Every call throws `quota`
 * when the browser has no room left and `storage` for any other failure.
 */
export class SessionStore {
  readonly #sessions: UseStore;

  /** Nothing is opened before the first call. */
  constructor(database = 'tabmind-sessions') {
    this.#sessions = createStore(database, 'sessions');
  }

  /**
   * Keeps a conversation. Others are given up, the oldest first, until all together have at most `maxBytes` and the browser
   * takes it; false, and nothing changed, when it is larger by itself.
   */
  async write(
    id: string,
    key: string,
    { tokenIds, contents }: SavedSession,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const ids = Uint32Array.from(tokenIds);
    const record: SessionRecord = {
      key,
      tokenIds: ids,
      hash: await hashOf(ids, contents),
      contents: new Blob([contents]),
      savedMs: Date.now(),
    };
    if (bytesOf(record) > maxBytes) return false;
    const others = (await this.#oldestFirst()).filter((stored) => stored.id !== id);
    let totalBytes = bytesOf(record) + others.reduce((sum, { bytes }) => sum + bytes, 0);
    const dropOldest = async (): Promise<boolean> => {
      const oldest = others.shift();
      if (oldest === undefined) return false;
      totalBytes -= oldest.bytes;
      await this.delete(oldest.id);
      return true;
    };
    while (totalBytes > maxBytes) await dropOldest();
    for (;;) {
      try {
        await guard(() => set(id, record, this.#sessions));
        return true;
      } catch (thrown) {
        const isFull = thrown instanceof TabmindError && thrown.code === 'quota';
        if (!isFull || !(await dropOldest())) throw thrown;
      }
    }
  }

  async #oldestFirst(): Promise<Stored[]> {
    const stored = await guard(() => entries<string, SessionRecord>(this.#sessions));
    return stored
      .sort(([, one], [, other]) => (one.savedMs ?? 0) - (other.savedMs ?? 0))
      .map(([id, record]) => ({ id, bytes: bytesOf(record) }));
  }

  /** null when there is none of this model and layout, or its bytes are not those that were written. */
  async read(id: string, key: string): Promise<SavedSession | null> {
    const record = await guard(() => get<SessionRecord>(id, this.#sessions));
    if (record?.key !== key) return null;
    // a Blob whose file is gone or damaged fails to be read: the same as absent
    const buffer = await record.contents.arrayBuffer().catch(() => null);
    if (buffer === null) return null;
    const contents = new Uint8Array(buffer);
    if ((await hashOf(record.tokenIds, contents)) !== record.hash) return null;
    return { tokenIds: [...record.tokenIds], contents };
  }

  /** How many there are, and their bytes. */
  async size(): Promise<SavedConversations> {
    const records = await guard(() => values<SessionRecord>(this.#sessions));
    const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
    return { count: records.length, bytes };
  }

  async clear(): Promise<void> {
    await guard(() => clear(this.#sessions));
  }

  async delete(id: string): Promise<void> {
    await guard(() => del(id, this.#sessions));
  }
}

const bytesOf = ({ tokenIds, contents }: SessionRecord): number => tokenIds.byteLength + contents.size;

async function hashOf(ids: Uint32Array<ArrayBuffer>, contents: Uint8Array<ArrayBuffer>): Promise<string> {
  return `${await sha256(new Uint8Array(ids.buffer))} ${await sha256(contents)}`;
}

const COMPUTED_AGAIN = {
  meaning: 'After a reload, the conversation will be computed again.',
  remedy: 'Delete a stored model, or free disk space.',
};

function guard<T>(work: () => Promise<T>): Promise<T> {
  const message = 'The browser has no room left to keep this conversation.';
  return guardStorage(work, { quota: { message, ...COMPUTED_AGAIN }, storage: COMPUTED_AGAIN });
}
