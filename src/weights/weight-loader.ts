import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { parseJsonObject } from '../models/config';
import type { WeightSpec } from '../models/weight-spec';
import type { LoadProgress } from '../protocol';
import { withConversionLock } from './conversion-lock';
import { conversionNeeds, convertWeights } from './convert';
import { checkpointFormat } from './formats/checkpoint-format';
import { ImageCache } from './image-cache';
import type { PlacedTensor } from './packed-tensor';
import { layoutSlabs, maxSlabBytes, type SlabLayout } from './slab-layout';
import { type ConversionNeeds, GpuSlabMemory, type SlabMemory } from './slab-memory';
import type { ModelSource, ModelTexts } from './source';
import { openTensorDirectory, type TensorDirectory } from './tensor-directory';
import { packedTensor, type WeightIdentity } from './weight-identity';
import { type CheckpointPlan, planWeights, type WeightPlan } from './weight-plan';
import type { Manifest, WeightStore } from './weight-store';

const DEFAULT_CHUNK_BYTES = 32 * 2 ** 20;
const DEFAULT_BLOCK_BYTES = 16 * 2 ** 20;

export interface WeightRequest {
  readonly source: ModelSource;
  /** From readModelTexts, with the same source, store and identity. */
  readonly texts: ModelTexts;
  readonly specs: readonly WeightSpec[];
  readonly identity: WeightIdentity;
  /** null: the cache is neither read nor written. */
  readonly store: WeightStore | null;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Size of a cached piece, multiple of 256. Default 32 MiB. */
  readonly chunkBytes?: number;
  /** Checkpoint bytes converted at once; a few such blocks are in memory together. Default 16 MiB. */
  readonly maxBlockBytes?: number;
}

export interface LoadedWeights {
  /** By the names of the specs. */
  readonly placed: ReadonlyMap<string, PlacedTensor>;
  /** STORAGE | COPY_SRC | COPY_DST; the caller destroys them. */
  readonly slabs: readonly GPUBuffer[];
  readonly bytes: number;
  /** True when nothing was converted. */
  readonly fromCache: boolean;
  readonly warnings: readonly string[];
}

/**
 * Brings the weights into GPU memory: from the cache where every chunk is there and its hash agrees, else by converting
 * what is missing and caching it. Throws TabmindError (network, not-found, bad-checkpoint, unsupported-model,
 * device-limits, out-of-memory, quota, storage, corrupt-cache) or the signal's reason; no GPU memory stays allocated then.
 */
export async function loadWeights(request: WeightRequest & { readonly gpu: Gpu }): Promise<LoadedWeights> {
  const { gpu } = request;
  const { layout, memory, fromCache, warnings } = await fillWeights(request, {
    maxSlabBytes: maxSlabBytes(gpu.device.limits),
    allocate: (wanted) => GpuSlabMemory.allocate(gpu, wanted),
  });
  const placed = new Map(layout.tensors.map((tensor) => [tensor.name, tensor]));
  return { placed, slabs: memory.slabs, bytes: layout.imageBytes, fromCache, warnings };
}

/** What the memory must be able to do beyond holding an image. */
export interface ConvertibleMemory extends SlabMemory {
  startConversion(needs: ConversionNeeds): Promise<void>;
  endConversion(): void;
  destroy(): void;
}

/** Where the image goes. */
export interface WeightDevice<M extends ConvertibleMemory> {
  readonly maxSlabBytes: number;
  allocate(layout: SlabLayout): Promise<M>;
}

export interface FilledMemory<M> {
  readonly layout: SlabLayout;
  readonly memory: M;
  readonly fromCache: boolean;
  readonly warnings: readonly string[];
}

/** loadWeights for any kind of memory. */
export async function fillWeights<M extends ConvertibleMemory>(
  request: WeightRequest,
  device: WeightDevice<M>,
): Promise<FilledMemory<M>> {
  checkpointFormat(parseJsonObject('config.json', request.texts.config));
  const chunkBytes = request.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  const image = layoutWeights(request, Number.POSITIVE_INFINITY);
  const cache =
    request.store && (await ImageCache.open({ ...request, store: request.store, image, chunkBytes }));
  const manifest = cache && (await cache.manifest());
  // shapes are checked against the checkpoint before any memory is asked for
  if (!manifest) request.onProgress?.({ phase: 'inspect', loadedBytes: 0, totalBytes: 0 });
  const checkpoint = manifest ? null : await inspect(request);
  const layout = layoutWeights(request, device.maxSlabBytes);
  const memory = await device.allocate(layout);
  const work = { ...request, chunkBytes, layout, memory };
  try {
    if (cache && manifest && (await cache.restoreComplete(manifest, memory)))
      return { layout, memory, fromCache: true, warnings: [] };
    const result = cache
      ? await withConversionLock(JSON.stringify(request.identity), request.signal, () =>
          convertCached(work, cache, checkpoint),
        )
      : await convertUncached(work, checkpoint);
    memory.endConversion();
    return { layout, memory, ...result };
  } catch (thrown) {
    memory.destroy();
    throw thrown;
  }
}

interface Work extends WeightRequest {
  readonly chunkBytes: number;
  readonly layout: SlabLayout;
  readonly memory: ConvertibleMemory;
}

interface Checkpoint extends CheckpointPlan {
  readonly directory: TensorDirectory;
}

interface Outcome {
  readonly fromCache: boolean;
  readonly warnings: readonly string[];
}

function layoutWeights({ specs, identity }: WeightRequest, maxBytes: number): SlabLayout {
  return layoutSlabs(
    specs.map((spec) => ({ packed: packedTensor(spec, identity), group: spec.group })),
    maxBytes,
  );
}

async function inspect({ source, texts, specs, signal }: WeightRequest): Promise<Checkpoint> {
  const directory = await openTensorDirectory(source, parseJsonObject('config.json', texts.config), signal);
  return { directory, ...planWeights(specs, directory) };
}

async function convertUncached(work: Work, inspected: Checkpoint | null): Promise<Outcome> {
  const { plans, warnings } = inspected ?? (await inspect(work));
  const numChunks = Math.ceil(work.layout.imageBytes / work.chunkBytes);
  await convert(
    work,
    plans,
    Array.from({ length: numChunks }, (_, index) => index),
    null,
  );
  return { fromCache: false, warnings };
}

/** Under the lock: another tab may have finished the model, or an earlier visit a part of it. */
async function convertCached(work: Work, cache: ImageCache, inspected: Checkpoint | null): Promise<Outcome> {
  const { memory, store } = work;
  const manifest = await cache.manifest();
  if (manifest && (await cache.restoreComplete(manifest, memory))) return { fromCache: true, warnings: [] };
  if (manifest) await checkUnchanged(work, manifest);
  const { directory, plans, warnings } = inspected ?? (await inspect(work));
  if (manifest) await store?.withdraw(manifest.key);
  const { key, fingerprint } = await cache.key(directory);
  const missing = await cache.restore(key, memory);
  await askToPersist();
  try {
    await convert(work, plans, missing, (index, bytes) => cache.save(key, index, bytes));
    await cache.complete(key, fingerprint);
  } catch (thrown) {
    // what cannot be finished must not fill the disk
    if (thrown instanceof TabmindError && thrown.code === 'quota') await store?.delete(key);
    throw thrown;
  }
  if (!manifest) return { fromCache: false, warnings };
  return {
    fromCache: false,
    warnings: [...warnings, 'A part of the stored model was damaged or gone; it was converted again.'],
  };
}

async function convert(
  work: Work,
  plans: readonly WeightPlan[],
  missing: readonly number[],
  saveChunk: ((index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | null,
): Promise<void> {
  const { source, layout, memory, chunkBytes, onProgress, signal } = work;
  const maxBlockBytes = work.maxBlockBytes ?? DEFAULT_BLOCK_BYTES;
  await memory.startConversion(conversionNeeds(plans, layout, maxBlockBytes));
  const onBytes = (loadedBytes: number, totalBytes: number) =>
    onProgress?.({ phase: 'download', loadedBytes, totalBytes });
  const pieces = { chunkBytes, maxBlockBytes, missing };
  await convertWeights({ source, plans, layout, memory, ...pieces, saveChunk, onBytes, signal });
}

/** The texts came from the cache; the weights to be read now must be of the same checkpoint. */
async function checkUnchanged({ source, texts, store, signal }: Work, manifest: Manifest): Promise<void> {
  if ((await source.readText('config.json', signal)) === texts.config) return;
  await store?.delete(manifest.key);
  throw new TabmindError(
    'corrupt-cache',
    `${source.id}: the stored model is damaged, and its source has changed since.`,
    {
      meaning: 'The stored copy was removed.',
      remedy: 'Load the model again.',
    },
  );
}

/** Pages may ask the browser to keep their data; workers cannot, there the page has to. */
async function askToPersist(): Promise<void> {
  const storage = globalThis.navigator?.storage;
  if (storage && 'persist' in storage) await storage.persist();
}
