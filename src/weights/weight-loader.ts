import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { lazyPart } from '../lazy-part';
import type { CacheRead, LoadProgress } from '../model-ref';
import { parseJsonObject } from '../models/config';
import type { WeightSpec } from '../models/weight-spec';
import { withConversionLock } from './conversion-lock';
import { ImageCache } from './image-cache';
import type { PlacedTensors } from './packed-tensor';
import { checkQuantSettings, readQuantModules, zeroBiases } from './quant-modules';
import { layoutSlabs, maxSlabBytes, placesOf, type SlabLayout } from './slab-layout';
import { type ConversionNeeds, GpuSlabMemory, type SlabMemory } from './slab-memory';
import type { ModelSource, ModelTexts } from './source';
import { openTensorDirectory, type TensorDirectory } from './tensor-directory';
import { type PackedForms, packedTensors, type WeightIdentity } from './weight-identity';
import { type CheckpointPlan, planWeights, unusedWarning, type WeightPlan } from './weight-plan';
import type { Manifest, WeightStore } from './weight-store';

const DEFAULT_CHUNK_BYTES = 16 * 2 ** 20;
const DEFAULT_BLOCK_BYTES = 8 * 2 ** 20;

export interface WeightRequest {
  readonly source: ModelSource;
  /** From readModelTexts, with the same source, store and identity. */
  readonly texts: ModelTexts;
  readonly specs: readonly WeightSpec[];
  readonly identity: WeightIdentity;
  /** null: the cache is neither read nor written. */
  readonly store: WeightStore | null;
  /** Called when there is memory for all and what converts it is compiled, before any of it is read. */
  readonly onPlaced?: ((placed: PlacedTensors) => void) | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Size of a cached piece, multiple of 256. Default 16 MiB. */
  readonly chunkBytes?: number;
  /** Checkpoint bytes converted at once; a few such blocks are in memory together. Default 8 MiB. */
  readonly maxBlockBytes?: number;
}

export interface LoadedWeights {
  readonly placed: PlacedTensors;
  /** STORAGE | COPY_SRC | COPY_DST; the caller destroys them. */
  readonly slabs: readonly GPUBuffer[];
  readonly bytes: number;
  /** True when nothing was converted. */
  readonly fromCache: boolean;
  /** null unless all came from the cache. */
  readonly cacheRead: CacheRead | null;
  readonly warnings: readonly string[];
}

/**
 * Brings the weights into GPU memory: from the cache where every chunk is there and its hash agrees, else by converting
 * what is missing and caching it. Throws TabmindError (network, not-found, bad-checkpoint, unsupported-model,
 * device-limits, out-of-memory, quota, storage, corrupt-cache) or the signal's reason; no GPU memory stays allocated then.
 */
export async function loadWeights(request: WeightRequest & { readonly gpu: Gpu }): Promise<LoadedWeights> {
  const { gpu } = request;
  const { layout, memory, ...outcome } = await fillWeights(request, {
    maxSlabBytes: maxSlabBytes(gpu.device.limits),
    allocate: (wanted) => GpuSlabMemory.allocate(gpu, wanted),
  });
  return { placed: placesOf(layout), slabs: memory.slabs, bytes: layout.imageBytes, ...outcome };
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

export interface FilledMemory<M> extends Outcome {
  readonly layout: SlabLayout;
  readonly memory: M;
}

/** loadWeights for any kind of memory. */
export async function fillWeights<M extends ConvertibleMemory>(
  request: WeightRequest,
  device: WeightDevice<M>,
): Promise<FilledMemory<M>> {
  // what cannot be read is refused before anything else
  await checkQuantSettings(parseJsonObject('config.json', request.texts.config));
  const chunkBytes = request.chunkBytes ?? DEFAULT_CHUNK_BYTES;
  const known = await request.store?.findManifest(request.identity);
  const openCache = async (forms: PackedForms) => {
    const image = layoutWeights(request, forms, Number.POSITIVE_INFINITY);
    return request.store && ImageCache.open({ ...request, store: request.store, image, forms, chunkBytes });
  };
  let cache = known ? await openCache(knownForms(request, known)) : null;
  const manifest = cache && (await cache.manifest());
  // shapes are checked against the checkpoint before any memory is asked for
  if (!manifest) request.onProgress?.({ phase: 'inspect', loadedBytes: 0, totalBytes: 0 });
  const checkpoint = manifest ? null : await inspect(request);
  const forms = checkpoint?.forms ?? manifest?.forms ?? {};
  if (!manifest) cache = await openCache(forms);
  const layout = layoutWeights(request, forms, device.maxSlabBytes);
  const memory = await device.allocate(layout);
  const work = { ...request, chunkBytes, layout, forms, memory };
  try {
    if (manifest) request.onPlaced?.(placesOf(layout));
    const cacheRead = cache && manifest && (await cache.restoreComplete(manifest, memory));
    if (cacheRead) return { layout, memory, ...restored(cacheRead) };
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
  readonly forms: PackedForms;
  readonly memory: ConvertibleMemory;
}

interface Checkpoint extends CheckpointPlan {
  readonly directory: TensorDirectory;
  readonly warnings: readonly string[];
}

type Outcome = Pick<LoadedWeights, 'fromCache' | 'cacheRead' | 'warnings'>;

function restored(cacheRead: CacheRead): Outcome {
  return { fromCache: true, cacheRead, warnings: [] };
}

function converted(warnings: readonly string[]): Outcome {
  return { fromCache: false, cacheRead: null, warnings };
}

function layoutWeights({ specs, identity }: WeightRequest, forms: PackedForms, maxBytes: number): SlabLayout {
  return layoutSlabs(
    specs.flatMap((spec) =>
      packedTensors(spec, identity, forms).map((packed) => ({ packed, group: spec.group })),
    ),
    maxBytes,
  );
}

/** The forms of a stored model, where they belong to these specs; a manifest of other ones is of no use anyway. */
function knownForms({ specs }: WeightRequest, { forms = {} }: Manifest): PackedForms {
  const names = new Set(specs.flatMap((spec) => (spec.kind === 'linear' ? [spec.name] : [])));
  return Object.keys(forms).every((name) => names.has(name)) ? forms : {};
}

async function inspect({ source, texts, specs, signal }: WeightRequest): Promise<Checkpoint> {
  const rawConfig = parseJsonObject('config.json', texts.config);
  const directory = await openTensorDirectory(source, rawConfig, signal);
  const { modules, warnings } = await readQuantModules(source, rawConfig, specs, directory, signal);
  const plan = planWeights(specs, directory, modules);
  const idle = await zeroBiases(source, directory, modules, plan.unused, signal);
  const unused = plan.unused.filter((name) => !idle.has(name));
  return {
    directory,
    ...plan,
    warnings: [...warnings, ...(unused.length > 0 ? [unusedWarning(unused)] : [])],
  };
}

async function convertUncached(work: Work, inspected: Checkpoint | null): Promise<Outcome> {
  const { plans, warnings } = inspected ?? (await inspect(work));
  const numChunks = Math.ceil(work.layout.imageBytes / work.chunkBytes);
  const all = Array.from({ length: numChunks }, (_, index) => index);
  const remarks = await convert(work, plans, all, null);
  return converted([...warnings, ...remarks]);
}

/** Under the lock: another tab may have finished the model, or an earlier visit a part of it. */
async function convertCached(work: Work, cache: ImageCache, inspected: Checkpoint | null): Promise<Outcome> {
  const { memory, store } = work;
  const manifest = await cache.manifest();
  const cacheRead = manifest && (await cache.restoreComplete(manifest, memory));
  if (cacheRead) return restored(cacheRead);
  if (manifest) await checkUnchanged(work, manifest);
  const { directory, plans, forms, warnings } = inspected ?? (await inspect(work));
  // the memory is laid out for the stored model
  if (JSON.stringify(forms) !== JSON.stringify(work.forms)) throw await changedSource(work, manifest);
  if (manifest) await store?.withdraw(manifest.key);
  const { key, fingerprint } = await cache.key(directory);
  const { missing } = await cache.restore(key, memory);
  let remarks: readonly string[];
  try {
    remarks = await convert(work, plans, missing, (index, bytes) => cache.save(key, index, bytes));
    await cache.complete(key, fingerprint);
  } catch (thrown) {
    // what cannot be finished must not fill the disk
    if (thrown instanceof TabmindError && thrown.code === 'quota') await store?.delete(key);
    throw thrown;
  }
  const repaired = 'A part of the stored model was damaged or gone; it was converted again.';
  return converted([...warnings, ...remarks, ...(manifest ? [repaired] : [])]);
}

async function convert(
  work: Work,
  plans: readonly WeightPlan[],
  missing: readonly number[],
  saveChunk: ((index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>) | null,
): Promise<readonly string[]> {
  const { source, layout, memory, chunkBytes, onProgress, signal } = work;
  const maxBlockBytes = work.maxBlockBytes ?? DEFAULT_BLOCK_BYTES;
  const { conversionNeeds, convertWeights } = await lazyPart(() => import('./convert'));
  await memory.startConversion(conversionNeeds(plans, layout, maxBlockBytes));
  work.onPlaced?.(placesOf(layout));
  const onBytes = (loadedBytes: number, totalBytes: number) =>
    onProgress?.({ phase: 'download', loadedBytes, totalBytes });
  const pieces = { chunkBytes, maxBlockBytes, missing };
  return convertWeights({ source, plans, layout, memory, ...pieces, saveChunk, onBytes, signal });
}

/** The texts came from the cache; the weights to be read now must be of the same checkpoint. */
async function checkUnchanged(work: Work, manifest: Manifest): Promise<void> {
  const { source, texts } = work;
  if ((await source.readText('config.json', work.signal)) !== texts.config)
    throw await changedSource(work, manifest);
}

async function changedSource({ source, store }: Work, manifest: Manifest | null): Promise<TabmindError> {
  if (manifest) await store?.delete(manifest.key);
  return new TabmindError(
    'corrupt-cache',
    `${source.id}: the stored model is damaged, and its source has changed since.`,
    {
      meaning: 'The stored copy was removed.',
      remedy: 'Load the model again.',
    },
  );
}
