import { TabmindError } from '../errors';
import type { CacheRead, LoadProgress } from '../model-ref';
import { BufferPool } from './buffer-pool';
import { sha256 } from './digest';
import { prefetch } from './prefetch';
import type { SlabLayout } from './slab-layout';
import type { SlabMemory } from './slab-memory';
import type { ModelTexts } from './source';
import type { TensorDirectory } from './tensor-directory';
import type { PackedForms, WeightIdentity } from './weight-identity';
import { type Manifest, modelKey, type WeightStore } from './weight-store';

/** Raise when the conversion gives other bytes for the same checkpoint. */
const CONVERTER_VERSION = 2;
/** Chunks read and hashed ahead of the one that is uploaded; hashing holds a copy of each. */
const READ_AHEAD = { maxItems: 4, maxCost: 4 };

export interface ImageCacheRequest {
  readonly store: WeightStore;
  readonly identity: WeightIdentity;
  readonly texts: ModelTexts;
  /** The image; how it is cut into slabs does not matter. */
  readonly image: SlabLayout;
  /** What of the image the checkpoint decided. */
  readonly forms: PackedForms;
  readonly chunkBytes: number;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Restored {
  /** Numbers of the chunks that are absent or damaged. */
  readonly missing: readonly number[];
  readonly cacheRead: CacheRead;
}

/** Which of the two the chunks wait for: storage and hash, or the GPU. */
class RestoreClock {
  readonly #startedMs = performance.now();
  #lastMs = this.#startedMs;
  #readMs = 0;
  #uploadMs = 0;
  bytes = 0;

  read(): void {
    this.#readMs += this.#lap();
  }

  uploaded(bytes: number): void {
    this.bytes += bytes;
    this.#uploadMs += this.#lap();
  }

  times(): CacheRead {
    const totalMs = performance.now() - this.#startedMs;
    return { bytes: this.bytes, totalMs, readMs: this.#readMs, uploadMs: this.#uploadMs };
  }

  #lap(): number {
    const nowMs = performance.now();
    const lapMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    return lapMs;
  }
}

/** The cached image of one model: what of it is there, and how it becomes complete. */
export class ImageCache {
  readonly #request: ImageCacheRequest;
  readonly #configHash: string;
  readonly #tableHash: string;
  /** SHA-256 of the chunks known to be stored and sound. */
  readonly #hashes = new Map<number, string>();

  private constructor(request: ImageCacheRequest, configHash: string, tableHash: string) {
    this.#request = request;
    this.#configHash = configHash;
    this.#tableHash = tableHash;
  }

  static async open(request: ImageCacheRequest): Promise<ImageCache> {
    // slabs depend on the device, the image does not
    const table = request.image.tensors.map(({ slab: _, byteOffset: __, ...tensor }) => tensor);
    return new ImageCache(request, await sha256(request.texts.config), await sha256(JSON.stringify(table)));
  }

  /** The complete model, if there is one that was made from this config.json into this layout. */
  async manifest(): Promise<Manifest | null> {
    const { store, identity, chunkBytes } = this.#request;
    const manifest = await store.findManifest(identity);
    const isUsable =
      manifest?.configHash === this.#configHash &&
      manifest.tableHash === this.#tableHash &&
      manifest.chunkBytes === chunkBytes;
    return isUsable ? manifest : null;
  }

  /** Key of the model in the store: changes with anything that changes the bytes. */
  async key(directory: TensorDirectory): Promise<{ readonly key: string; readonly fingerprint: string }> {
    const { identity, chunkBytes } = this.#request;
    const parts = [CONVERTER_VERSION, this.#configHash, this.#tableHash, chunkBytes, directory.files];
    const fingerprint = await sha256(JSON.stringify(parts));
    return { key: modelKey(identity, fingerprint), fingerprint };
  }

  /**
   * Copies every sound chunk into `memory`: a few are read and hashed ahead while one is uploaded. Returns the numbers of
   * those that are absent or damaged, ascending, and how long it took.
   */
  async restore(key: string, memory: SlabMemory): Promise<Restored> {
    const { store, image, onProgress, signal } = this.#request;
    this.#hashes.clear();
    const numChunks = this.#numChunks();
    const stored = (await store.chunkIndexes(key)).filter((index) => index < numChunks);
    const pool = new BufferPool(this.#request.chunkBytes, READ_AHEAD.maxItems + 1);
    const clock = new RestoreClock();
    for await (const [index, chunk] of prefetch(
      stored,
      READ_AHEAD,
      () => 1,
      (i) => store.readChunk(key, i, pool),
    )) {
      clock.read();
      signal?.throwIfAborted();
      const length = chunk?.bytes.length;
      if (!chunk || length !== this.#chunkLength(index)) continue;
      await memory.upload(this.#request.chunkBytes * index, chunk.bytes);
      pool.give(chunk.bytes);
      clock.uploaded(length);
      this.#hashes.set(index, chunk.hash);
      onProgress?.({ phase: 'read-cache', loadedBytes: clock.bytes, totalBytes: image.imageBytes });
    }
    await memory.uploaded();
    clock.uploaded(0);
    const all = Array.from({ length: numChunks }, (_, index) => index);
    return { missing: all.filter((index) => !this.#hashes.has(index)), cacheRead: clock.times() };
  }

  /** restore() for a complete model: null unless every chunk is the one that the manifest names. */
  async restoreComplete(manifest: Manifest, memory: SlabMemory): Promise<CacheRead | null> {
    const { missing, cacheRead } = await this.restore(manifest.key, memory);
    const isWhole = missing.length === 0 && manifest.chunks.every((hash, i) => this.#hashes.get(i) === hash);
    return isWhole ? cacheRead : null;
  }

  async save(key: string, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { store, identity, signal } = this.#request;
    signal?.throwIfAborted();
    this.#hashes.set(index, await store.writeChunk(key, identity, index, bytes));
  }

  /** Writes the manifest, last of all, and removes older versions of the same model. */
  async complete(key: string, fingerprint: string): Promise<void> {
    const { store, identity, texts, image, forms, chunkBytes } = this.#request;
    const chunks = Array.from({ length: this.#numChunks() }, (_, index) => {
      const hash = this.#hashes.get(index);
      if (hash === undefined) throw new TabmindError('internal', `chunk ${index} was never saved`);
      return hash;
    });
    const [configHash, tableHash] = [this.#configHash, this.#tableHash];
    const { imageBytes } = image;
    await store.complete(
      {
        ...{ key, identity, fingerprint, configHash, tableHash, forms, chunkBytes, imageBytes, chunks },
        convertedAt: Date.now(),
      },
      texts,
    );
    await store.deleteOthers(identity, key);
  }

  #numChunks(): number {
    return Math.ceil(this.#request.image.imageBytes / this.#request.chunkBytes);
  }

  #chunkLength(index: number): number {
    const { image, chunkBytes } = this.#request;
    return Math.min(chunkBytes, image.imageBytes - index * chunkBytes);
  }
}
