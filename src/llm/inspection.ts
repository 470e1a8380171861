import { TabmindError } from '../errors';
import { allocateBuffer } from '../gpu/buffer';
import { type Gpu, hasMatrixUnits, openGpu } from '../gpu/device';
import type { Inspection, LoadOptions, ModelRef } from '../model-ref';
import { parseJsonObject } from '../models/config';
import { architectureOf, parseModelConfig } from '../models/registry';
import type { WeightSpec } from '../models/weight-spec';
import { LoadGate } from '../weights/load-gate';
import { checkQuantSettings, readQuantModules } from '../weights/quant-modules';
import { layoutSlabs } from '../weights/slab-layout';
import { openTensorDirectory } from '../weights/tensor-directory';
import { type PackedForms, packedTensors } from '../weights/weight-identity';
import { planWeights } from '../weights/weight-plan';
import { type Checkpoint, openCheckpoint } from './checkpoint';
import { type FitVerdict, type Given, judgeFit, type MemoryNeeds, memoryNeeds, withoutHeld } from './fit';
import { findPoolRoom } from './gpu-room';
import { loadShape } from './load-shape';

const NO_LIMITS = {
  maxBufferSize: Number.MAX_SAFE_INTEGER,
  maxStorageBufferBindingSize: Number.MAX_SAFE_INTEGER,
};

/**
 * Reads config.json and the headers of the weights (nothing when the model is in the cache), works out what the model
 * needs, and asks the GPU for exactly that, to give it back at once. `heldBytes`: what the loaded model occupies; a load
 * would free it first. Throws what a load would throw before its download.
 */
export async function inspectModel(
  model: ModelRef,
  options: LoadOptions,
  heldBytes: number,
): Promise<Inspection> {
  const gpu = await openGpu({ math: options.math ?? 'auto' });
  try {
    const checkpoint = await openCheckpoint(model, options, undefined, new LoadGate());
    const { texts, identity, store } = checkpoint;
    const config = parseModelConfig(texts.config, texts.generationConfig);
    const specs = architectureOf(config.modelType).weights(config);
    const { cached, checkpointBytes, forms } = await storedOrPlanned(checkpoint, specs);
    const tensors = specs.flatMap((spec) =>
      packedTensors(spec, identity, forms).map((packed) => ({ packed, group: spec.group })),
    );
    const { imageBytes } = layoutSlabs(tensors, Number.POSITIVE_INFINITY);
    const change = { freedBytes: heldBytes, takenBytes: imageBytes };
    const freeBytes = await findPoolRoom(gpu, config, options, change);
    const shape = loadShape(config, options, { matrices: hasMatrixUnits(gpu), freeBytes });
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
    const limits = { maxBufferSize, maxStorageBufferBindingSize };
    const question = { config, tensors, shape, checkpointBytes };
    const { sizes } = memoryNeeds({ ...question, limits: NO_LIMITS });
    const storageBytes = store && !cached ? await freeStorage() : null;
    const verdict = await withinLimits(
      () => memoryNeeds({ ...question, limits }),
      async (needs) => judgeFit(sizes, await probe(gpu, needs, heldBytes), storageBytes),
    );
    return {
      id: model.id,
      architecture: config.modelType,
      parameters: specs.reduce((sum, spec) => sum + (spec.kind === 'linear' ? spec.rows : 1) * spec.cols, 0),
      contextLength: shape.contextLength,
      maxContextLength: config.maxPositions,
      hasTokenizer: texts.tokenizer !== null,
      cached,
      checkpointBytes,
      ...sizes,
      limits,
      ...verdict,
    };
  } finally {
    gpu.destroy();
  }
}

interface Weights {
  readonly cached: boolean;
  /** 0 when cached. */
  readonly checkpointBytes: number;
  readonly forms: PackedForms;
}

/** What is known of the weights without their data: from the cache, else from the headers, all shapes checked. */
async function storedOrPlanned(
  { source, store, texts, identity, randomSeed }: Checkpoint,
  specs: readonly WeightSpec[],
): Promise<Weights> {
  // nothing to download: as good as cached
  if (randomSeed !== null) return { cached: true, checkpointBytes: 0, forms: {} };
  const rawConfig = parseJsonObject('config.json', texts.config);
  // what cannot be read is refused before anything else
  await checkQuantSettings(rawConfig);
  const manifest = await store?.findManifest(identity);
  if (manifest) return { cached: true, checkpointBytes: 0, forms: manifest.forms ?? {} };
  const directory = await openTensorDirectory(source, rawConfig);
  const { modules } = await readQuantModules(source, rawConfig, specs, directory);
  const { forms } = planWeights(specs, directory, modules);
  return {
    cached: false,
    checkpointBytes: directory.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    forms,
  };
}

/** A model that this device cannot hold in its buffers, however empty it is, is a verdict and no failure. */
async function withinLimits(
  plan: () => MemoryNeeds,
  judge: (needs: MemoryNeeds) => Promise<FitVerdict>,
): Promise<FitVerdict> {
  let needs: MemoryNeeds;
  try {
    needs = plan();
  } catch (thrown) {
    if (!(thrown instanceof TabmindError) || thrown.code !== 'device-limits') throw thrown;
    const limit = 'group' in thrown.details ? 'buffer' : 'context';
    return { fits: 'too-big', limit, reason: `${thrown.message} ${thrown.remedy}` };
  }
  return judge(needs);
}

/** Allocates the buffers one after another, in the sizes of a load, and gives all back. */
async function probe(gpu: Gpu, needs: MemoryNeeds, heldBytes: number): Promise<Given> {
  const buffers: GPUBuffer[] = [];
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const allocate = async (sizes: readonly number[]) => {
    try {
      for (const bytes of sizes) buffers.push(await allocateBuffer(gpu.device, 'probe', bytes, usage));
      return true;
    } catch (thrown) {
      if (thrown instanceof TabmindError && thrown.code === 'out-of-memory') return false;
      throw thrown;
    }
  };
  try {
    const { fixedBuffers, kvBuffers, conversionBuffers } = needs;
    const heldByPool = Math.max(0, heldBytes - fixedBuffers.reduce((sum, bytes) => sum + bytes, 0));
    if (!(await allocate(withoutHeld(fixedBuffers, heldBytes)))) return 'none';
    if (!(await allocate(withoutHeld(kvBuffers, heldByPool)))) return 'fixed';
    return (await allocate(conversionBuffers)) ? 'all' : 'resident';
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
}

/** null where the browser does not say. */
async function freeStorage(): Promise<number | null> {
  const storage: StorageManager | undefined = globalThis.navigator?.storage;
  const { quota, usage } = (await storage?.estimate()) ?? {};
  return quota === undefined || usage === undefined ? null : Math.max(0, quota - usage);
}
