import {
  createStore,
  del,
  delMany,
  get,
  getMany,
  keys,
  promisifyRequest,
  set,
  setMany,
  type UseStore,
} from 'idb-keyval';
import type { CachedModel } from '../model-ref';
import { BufferPool } from './buffer-pool';
import { readBlob } from './byte-stream';
import { sha256 } from './digest';
import type { ModelTexts } from './source';
import { guardStorage, type StorageWords } from './storage-guard';
import { type PackedForms, sameIdentity, type WeightIdentity } from './weight-identity';

/** A complete cached model. Written last: without it the chunks are only a conversion that may be resumed. */
export interface Manifest {
  /** Identity and fingerprint in one string. */
  readonly key: string;
  readonly identity: WeightIdentity;
  /** Everything that decides the bytes: config, safetensors headers, packed layout, converter. */
  readonly fingerprint: string;
  /** SHA-256 of the config.json that it was made with. */
  readonly configHash: string;
  /** SHA-256 of the table of packed tensors. */
  readonly tableHash: string;
  /** Of the linears that the checkpoint holds in 4 bits; absent in manifests from before there were any. */
  readonly forms?: PackedForms;
  readonly chunkBytes: number;
  readonly imageBytes: number;
  /** SHA-256 of each chunk. */
  readonly chunks: readonly string[];
  /** Unix ms; absent in manifests from before it was noted. */
  readonly convertedAt?: number;
}

interface ChunkRecord {
  readonly identity: WeightIdentity;
  readonly hash: string;
  readonly bytes: Blob;
}

const DATABASE = 'tabmind-weights';
const STORE = 'parts';

type Kind = 'manifest' | 'texts' | 'chunk' | 'tuning';
type PartKey = [kind: Kind, key: string] | [kind: Kind, key: string, index: number];

/**
 * Packed models in IndexedDB: chunks of the image as Blobs with their hashes, the texts, a manifest. Every call throws
 * `quota` when the browser has no room left and `storage` for any other failure.
 */
export class WeightStore {
  readonly #parts: UseStore;

  /** Nothing is opened before the first call. */
  constructor(database = DATABASE) {
    this.#parts = createStore(database, STORE);
  }

  /** The complete model of this identity, if there is one. */
  async findManifest(identity: WeightIdentity): Promise<Manifest | null> {
    const all = await this.#manifests();
    return all.find((manifest) => sameIdentity(manifest.identity, identity)) ?? null;
  }

  readTexts(key: string): Promise<ModelTexts | null> {
    return guard(async () => (await get<ModelTexts>(partKey('texts', key), this.#parts)) ?? null);
  }

  /**
   * The bytes of a chunk, or null when it is absent or its bytes are not those that were written. They may lie in a buffer
   * from `pool`, which the caller can give back then.
   */
  async readChunk(
    key: string,
    index: number,
    pool = new BufferPool(0, 0),
  ): Promise<{ readonly hash: string; readonly bytes: Uint8Array<ArrayBuffer> } | null> {
    const record = await guard(() => get<ChunkRecord>(partKey('chunk', key, index), this.#parts));
    if (!record) return null;
    // a Blob whose file is gone or damaged fails to be read: the same as absent
    const bytes = await readBlob(record.bytes, pool).catch(() => null);
    if (!bytes) return null;
    return (await sha256(bytes)) === record.hash ? { hash: record.hash, bytes } : null;
  }

  /** Stores a chunk and its hash in one put; returns the hash. */
  async writeChunk(
    key: string,
    identity: WeightIdentity,
    index: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<string> {
    const hash = await sha256(bytes);
    const record: ChunkRecord = { identity, hash, bytes: new Blob([bytes]) };
    await guard(() => set(partKey('chunk', key, index), record, this.#parts));
    return hash;
  }

  /** Declares the model complete, in one transaction with its texts. */
  async complete(manifest: Manifest, texts: ModelTexts): Promise<void> {
    const { key } = manifest;
    await guard(() =>
      setMany(
        [
          [partKey('texts', key), texts],
          [partKey('manifest', key), manifest],
        ],
        this.#parts,
      ),
    );
  }

  /** The model counts as incomplete from now on; its chunks stay. */
  async withdraw(key: string): Promise<void> {
    await guard(() => del(partKey('manifest', key), this.#parts));
  }

  /** What `writeTuning` kept, whatever that is; null: nothing. */
  async readTuning(key: string): Promise<unknown> {
    return (await guard(() => get<unknown>(partKey('tuning', key), this.#parts))) ?? null;
  }

  /** Keeps what was found out about a complete model on this device; nothing when the model is gone. */
  async writeTuning(key: string, tuning: unknown): Promise<void> {
    await guard(() =>
      this.#parts('readwrite', async (parts) => {
        const manifest = await promisifyRequest(parts.getKey(partKey('manifest', key)));
        if (manifest === undefined) return;
        parts.put(tuning, partKey('tuning', key));
        await promisifyRequest(parts.transaction);
      }),
    );
  }

  async deleteTuning(key: string): Promise<void> {
    await guard(() => del(partKey('tuning', key), this.#parts));
  }

  /** Numbers of the chunks that are there, ascending. */
  async chunkIndexes(key: string): Promise<readonly number[]> {
    const all = await this.#keys();
    return all
      .filter(([kind, owner]) => kind === 'chunk' && owner === key)
      .map(([, , index = 0]) => index)
      .sort((a, b) => a - b);
  }

  async list(): Promise<readonly CachedModel[]> {
    const chunkKeys = (await this.#keys()).filter(([kind]) => kind === 'chunk');
    const records = await guard(() => getMany<ChunkRecord>(chunkKeys, this.#parts));
    const manifests = new Map((await this.#manifests()).map((manifest) => [manifest.key, manifest]));
    const models = new Map<string, CachedModel>();
    for (const [i, [, key]] of chunkKeys.entries()) {
      const record = records[i];
      if (!record) continue;
      const { id, revision, weightBits } = record.identity;
      const bytes = (models.get(key)?.bytes ?? 0) + record.bytes.size;
      const manifest = manifests.get(key);
      const convertedAt = manifest?.convertedAt ?? null;
      models.set(key, {
        key,
        id,
        revision,
        bytes,
        weightBits,
        complete: manifest !== undefined,
        convertedAt,
      });
    }
    return [...models.values()];
  }

  /** Removes a model, complete or not. */
  async delete(key: string): Promise<void> {
    await this.#deleteWhere((owner) => owner === key);
  }

  /** Removes what an older version of the same model and options has left behind. */
  async deleteOthers(identity: WeightIdentity, keptKey: string): Promise<void> {
    const prefix = identityPrefix(identity);
    await this.#deleteWhere((owner) => owner !== keptKey && owner.startsWith(prefix));
  }

  async #deleteWhere(matches: (key: string) => boolean): Promise<void> {
    const doomed = (await this.#keys()).filter(([, owner]) => matches(owner));
    // the manifest goes with the rest in one transaction, so no manifest ever stands without its chunks
    await guard(() => delMany(doomed, this.#parts));
  }

  async #manifests(): Promise<readonly Manifest[]> {
    const manifestKeys = (await this.#keys()).filter(([kind]) => kind === 'manifest');
    const found = await guard(() => getMany<Manifest>(manifestKeys, this.#parts));
    return found.filter((manifest) => manifest !== undefined);
  }

  #keys(): Promise<PartKey[]> {
    return guard(() => keys<PartKey>(this.#parts));
  }
}

export function modelKey(identity: WeightIdentity, fingerprint: string): string {
  return `${identityPrefix(identity)}${fingerprint.slice(0, 32)}`;
}

function identityPrefix({ id, revision, weightBits, headBits, groupSize }: WeightIdentity): string {
  return `${JSON.stringify([id, revision, weightBits, headBits, groupSize])} `;
}

function partKey(kind: Kind, key: string, index?: number): PartKey {
  return index === undefined ? [kind, key] : [kind, key, index];
}

const STORAGE_WORDS: StorageWords = {
  quota: {
    message: 'The browser has no room left to keep this model.',
    meaning: 'The converted weights could not be stored for the next visit.',
    remedy: 'Delete a stored model, free disk space, or load with the cache switched off.',
  },
  storage: {
    meaning: 'Models can be neither kept nor read from earlier visits.',
    remedy: 'Leave private browsing, allow this site to store data, or load with the cache switched off.',
  },
};

function guard<T>(work: () => Promise<T>): Promise<T> {
  return guardStorage(work, STORAGE_WORDS);
}
