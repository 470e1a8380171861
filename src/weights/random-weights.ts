import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import { Recorder } from '../gpu/dispatch';
import { RANDOM_FILL_BINDINGS, randomFill, randomFillPipeline } from '../kernels/random-fill';
import type { LoadProgress } from '../model-ref';
import type { WeightSpec } from '../models/weight-spec';
import type { PlacedTensors } from './packed-tensor';
import { type ImageTensor, layoutSlabs, maxSlabBytes, placesOf } from './slab-layout';
import { GpuSlabMemory } from './slab-memory';
import { packedTensors, type WeightIdentity } from './weight-identity';
import type { LoadedWeights } from './weight-loader';

export interface RandomWeightRequest {
  readonly gpu: Gpu;
  readonly specs: readonly WeightSpec[];
  readonly identity: WeightIdentity;
  /** u32. The same seed gives the same weights on every device. */
  readonly seed: number;
  readonly onPlaced?: ((placed: PlacedTensors) => void) | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Weights as of a freshly initialised model, drawn on the GPU into the layout that a checkpoint would get: matrices with
 * deviation 1 / sqrt(cols), norms of ones, biases of zeros. Throws `device-limits` or `out-of-memory`, or the signal's
 * reason; no GPU memory stays allocated then.
 */
export async function randomWeights(request: RandomWeightRequest): Promise<LoadedWeights> {
  const { gpu, specs, identity, signal } = request;
  const packed = specs.flatMap((spec) =>
    packedTensors(spec, identity, {}).map((tensor) => ({ packed: tensor, group: spec.group })),
  );
  const layout = layoutSlabs(packed, maxSlabBytes(gpu.device.limits));
  const programs = layout.tensors.flatMap(({ format }) =>
    format === 'f32' ? [] : [randomFillPipeline(gpu, format)],
  );
  const memory = await GpuSlabMemory.allocate(gpu, layout);
  const placed = placesOf(layout);
  try {
    await gpu.pipelines.ready(programs);
    request.onPlaced?.(placed);
    fillVectors(memory, specs, layout.tensors);
    await fillMatrices(request, memory, layout.tensors, layout.imageBytes);
    signal?.throwIfAborted();
  } catch (thrown) {
    memory.destroy();
    throw thrown;
  }
  const outcome = { fromCache: false, cacheRead: null, warnings: [] };
  return { placed, slabs: memory.slabs, bytes: layout.imageBytes, ...outcome };
}

/** New memory is zero, and so are biases. */
function fillVectors(
  memory: GpuSlabMemory,
  specs: readonly WeightSpec[],
  tensors: readonly ImageTensor[],
): void {
  const norms = new Set(
    specs
      .filter(({ kind, parts }) => kind === 'vector' && parts[0]?.leaf === 'weight')
      .map(({ name }) => name),
  );
  for (const { name, cols, imageOffset } of tensors)
    if (norms.has(name)) memory.write(imageOffset, new Uint8Array(new Float32Array(cols).fill(1).buffer));
}

/** A submit for each matrix, and never two slabs' worth of them queued, so that no watchdog thinks the GPU hangs. */
async function fillMatrices(
  { gpu, seed, onProgress, signal }: RandomWeightRequest,
  memory: GpuSlabMemory,
  tensors: readonly ImageTensor[],
  totalBytes: number,
): Promise<void> {
  const { device, pipelines } = gpu;
  const recorder = new Recorder(gpu);
  const bindGroups = memory.slabs.map((slab) =>
    device.createBindGroup({
      layout: pipelines.bindGroupLayout(RANDOM_FILL_BINDINGS),
      entries: [{ binding: 0, resource: { buffer: slab } }],
    }),
  );
  let slab = 0;
  for (const tensor of tensors) {
    if (tensor.format === 'f32') continue;
    if (tensor.slab !== slab) await memory.settled();
    signal?.throwIfAborted();
    slab = tensor.slab;
    const bindGroup = bindGroups[slab];
    if (!bindGroup) throw new TabmindError('internal', `no slab ${slab}`);
    const dispatch = randomFill(gpu, { tensor, imageOffset: tensor.imageOffset, seed });
    const encoder = device.createCommandEncoder({ label: `random ${tensor.name}` });
    recorder.record(encoder, [{ bindGroup, dispatches: [dispatch] }]);
    device.queue.submit([encoder.finish()]);
    onProgress?.({ phase: 'convert', loadedBytes: tensor.imageOffset, totalBytes });
  }
  await memory.settled();
}
