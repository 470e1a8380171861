import { clear, createStore, get, promisifyRequest, type UseStore } from 'idb-keyval';
import { TabmindError } from '../errors';
import type { SavedConversations } from '../protocol';
import { sha256 } from '../weights/digest';
import { prefetch } from '../weights/prefetch';
import { guardStorage } from '../weights/storage-guard';

/** A conversation as it lies on the GPU. */
export interface SavedSession {
  readonly tokenIds: readonly number[];
  /** Its blocks, [blocks][layers][blockWords]. */
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** A conversation as it is to be kept from now on. */
export interface SessionChange {
  readonly tokenIds: readonly number[];
  /** Hashes of its first blocks, which are stored as they are: see `unchangedBlocks`. */
  readonly unchanged: readonly string[];
  /** The blocks behind those, [blocks][layers][blockWords]; `blockBytes` each. */
  readonly contents: Uint8Array<ArrayBuffer>;
  readonly blockBytes: number;
}

/** What a stored conversation consists of. Its blocks are Blobs under keys of their own. */
interface Manifest {
  readonly id: string;
  /** All that decides what the bytes mean: model, packing, layout. */
  readonly key: string;
  readonly tokenIds: Uint32Array<ArrayBuffer>;
  readonly idsHash: string;
  /** SHA-256 of each block. */
  readonly blockHashes: readonly string[];
  readonly blockBytes: number;
  /** When it was written, Unix ms. */
  readonly savedMs: number;
}

/** Blocks that are read and hashed ahead. */
const READ_AHEAD = { maxItems: 8, maxCost: 64 * 2 ** 20 };

/**
 * Conversations in IndexedDB, so that they go on after a reload without being computed again: a record for each block, and
 * one that lists them. Of a conversation that goes on only the new blocks are written, all in one transaction: it is changed
 * as a whole, or it stays as it was. Every call throws `quota` when the browser has no room left and `storage` for any other
 * failure.
 */
export class SessionStore {
  readonly #parts: UseStore;

  /** Nothing is opened before the first call. */
  constructor(database = 'tabmind-sessions') {
    this.#parts = createStore(database, 'sessions');
  }

  /** Hashes of the first blocks of a conversation that need not be written again: they are stored with the same tokens. */
  async unchangedBlocks(
    id: string,
    key: string,
    tokenIds: readonly number[],
    blockTokens: number,
  ): Promise<readonly string[]> {
    const stored = await guard(() => get<Manifest>(manifestKey(id), this.#parts));
    if (stored?.key !== key) return [];
    const parting = tokenIds.findIndex((tokenId, i) => tokenId !== stored.tokenIds[i]);
    // a stored block may hold more than the end of a conversation that was taken back, but never less
    const numBlocks =
      parting === -1 ? Math.ceil(tokenIds.length / blockTokens) : Math.floor(parting / blockTokens);
    return stored.blockHashes.slice(0, numBlocks);
  }

  /**
   * Keeps a conversation. Others are given up, the oldest first, until all together have at most `maxBytes` and the browser
   * takes it; false, and nothing changed, when it is larger by itself, or another tab has changed the blocks before the new
   * ones meanwhile.
   */
  async write(
    id: string,
    key: string,
    change: SessionChange,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const added = blocksOf(change);
    const manifest = await manifestOf(id, key, change, added);
    if (bytesOf(manifest) > maxBytes) return false;
    const others = (await this.#oldestFirst()).filter((stored) => stored.id !== id);
    let totalBytes = others.reduce((sum, other) => sum + bytesOf(other), bytesOf(manifest));
    const dropOldest = async (): Promise<boolean> => {
      const oldest = others.shift();
      if (oldest === undefined) return false;
      totalBytes -= bytesOf(oldest);
      await this.delete(oldest.id);
      return true;
    };
    while (totalBytes > maxBytes) await dropOldest();
    const blobs = added.map((block) => new Blob([block]));
    for (;;) {
      try {
        return await this.#put(manifest, change.unchanged, blobs);
      } catch (thrown) {
        const isFull = thrown instanceof TabmindError && thrown.code === 'quota';
        if (!isFull || !(await dropOldest())) throw thrown;
      }
    }
  }

  /**
   * null when there is none of this model and layout, or its bytes are not those that were written. It is given up then: the
   * next time, all of it has to be stored.
   */
  async read(id: string, key: string): Promise<SavedSession | null> {
    const [manifest, blocks] = await guard(() =>
      this.#parts('readonly', (store) =>
        Promise.all([
          promisifyRequest<Manifest | undefined>(store.get(manifestKey(id))),
          promisifyRequest<Blob[]>(store.getAll(blocksFrom(id, 0))),
        ]),
      ),
    );
    if (manifest?.key !== key) return null;
    const contents = await readContents(manifest, blocks);
    if (contents !== null) return { tokenIds: [...manifest.tokenIds], contents };
    await this.delete(id);
    return null;
  }

  /** How many there are, and their bytes. */
  async size(): Promise<SavedConversations> {
    const manifests = await this.#oldestFirst();
    return { count: manifests.length, bytes: manifests.reduce((sum, each) => sum + bytesOf(each), 0) };
  }

  async clear(): Promise<void> {
    await guard(() => clear(this.#parts));
  }

  async delete(id: string): Promise<void> {
    await guard(() =>
      this.#parts('readwrite', (store) => {
        store.delete(wholeSessions());
        store.delete(manifestKey(id));
        store.delete(blocksFrom(id, 0));
        return promisifyRequest(store.transaction);
      }),
    );
  }

  async #oldestFirst(): Promise<readonly Manifest[]> {
    const manifests = await guard(() =>
      this.#parts('readonly', (store) => promisifyRequest<Manifest[]>(store.getAll(allManifests()))),
    );
    return manifests.sort((one, other) => one.savedMs - other.savedMs);
  }

  /** False, and nothing changed, when what is stored does not begin with the `unchanged` blocks (any more). */
  #put(manifest: Manifest, unchanged: readonly string[], added: readonly Blob[]): Promise<boolean> {
    const { id } = manifest;
    const numKept = unchanged.length;
    return guard(() =>
      this.#parts('readwrite', async (store) => {
        const stored = await promisifyRequest<Manifest | undefined>(store.get(manifestKey(id)));
        if (!unchanged.every((hash, i) => hash === stored?.blockHashes[i])) return false;
        try {
          store.delete(wholeSessions());
          store.delete(blocksFrom(id, numKept));
          for (const [i, blob] of added.entries()) store.put(blob, blockKey(id, numKept + i));
          store.put(manifest, manifestKey(id));
        } catch (thrown) {
          // what was asked for before would happen all the same
          store.transaction.abort();
          throw thrown;
        }
        await promisifyRequest(store.transaction);
        return true;
      }),
    );
  }
}

// Numbers stand before texts in the order of keys, and texts before lists: each range holds all keys that begin alike.
const manifestKey = (id: string): [string, string] => ['manifest', id];
const blockKey = (id: string, index: number): [string, string, number] => ['block', id, index];
const allManifests = (): IDBKeyRange => IDBKeyRange.bound(['manifest'], ['manifest', []]);
const blocksFrom = (id: string, first: number): IDBKeyRange =>
  IDBKeyRange.bound(blockKey(id, first), ['block', id, []]);
/** Records of earlier versions, which kept a conversation whole under its name: nothing reads them any more. */
const wholeSessions = (): IDBKeyRange => IDBKeyRange.bound('', [], false, true);

const bytesOf = ({ tokenIds, blockHashes, blockBytes }: Manifest): number =>
  tokenIds.byteLength + blockHashes.length * blockBytes;

const idsHashOf = (ids: Uint32Array<ArrayBuffer>): Promise<string> => sha256(new Uint8Array(ids.buffer));

function blocksOf({ contents, blockBytes }: SessionChange): readonly Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: contents.length / blockBytes }, (_, i) =>
    contents.subarray(i * blockBytes, (i + 1) * blockBytes),
  );
}

async function manifestOf(
  id: string,
  key: string,
  { tokenIds, unchanged, blockBytes }: SessionChange,
  added: readonly Uint8Array<ArrayBuffer>[],
): Promise<Manifest> {
  const ids = Uint32Array.from(tokenIds);
  const idsHash = await idsHashOf(ids);
  const blockHashes = [...unchanged, ...(await Promise.all(added.map(sha256)))];
  return { id, key, tokenIds: ids, idsHash, blockHashes, blockBytes, savedMs: Date.now() };
}

/** null when anything is missing or not as it was written. */
async function readContents(
  { tokenIds, idsHash, blockHashes, blockBytes }: Manifest,
  blocks: readonly Blob[],
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (blocks.length !== blockHashes.length || (await idsHashOf(tokenIds)) !== idsHash) return null;
  const contents = new Uint8Array(blocks.length * blockBytes);
  let numRead = 0;
  for await (const [, { bytes, hash }] of prefetch(blocks, READ_AHEAD, ({ size }) => size, readBlock)) {
    if (bytes.length !== blockBytes || hash !== blockHashes[numRead]) return null;
    contents.set(bytes, blockBytes * numRead++);
  }
  return contents;
}

async function readBlock(blob: Blob) {
  // a Blob whose file is gone or damaged fails to be read: the same as empty
  const bytes = new Uint8Array(await blob.arrayBuffer().catch(() => new ArrayBuffer(0)));
  return { bytes, hash: await sha256(bytes) };
}

const COMPUTED_AGAIN = {
  meaning: 'After a reload, the conversation will be computed again.',
  remedy: 'Delete a stored model, or free disk space.',
};

function guard<T>(work: () => Promise<T>): Promise<T> {
  const message = 'The browser has no room left to keep this conversation.';
  return guardStorage(work, { quota: { message, ...COMPUTED_AGAIN }, storage: COMPUTED_AGAIN });
}
