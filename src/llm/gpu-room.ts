import { type Gpu, openGpu } from '../gpu/device';
import { findFreeBytes } from '../gpu/free-memory';
import type { GpuRoom, LoadOptions } from '../model-ref';
import type { ModelConfig } from '../models/config';

/** How the memory stands when it is asked for, against how it will stand when the pool is allocated. */
export interface RoomChange {
  /** Free again by then. */
  readonly freedBytes: number;
  /** Taken by then. */
  readonly takenBytes: number;
}

/**
 * Bytes that `cacheMaxEntryCount` is a share of; undefined where the options do not ask for a share, for finding out takes
 * the whole card for a moment. At most what the pool's buffers can be: each layer has to fit one binding.
 */
export async function findPoolRoom(
  gpu: Gpu,
  { numLayers }: ModelConfig,
  { cacheMaxEntryCount, kvPoolMiB }: LoadOptions,
  { freedBytes, takenBytes }: RoomChange = { freedBytes: 0, takenBytes: 0 },
): Promise<number | undefined> {
  if (cacheMaxEntryCount === undefined || kvPoolMiB !== undefined) return undefined;
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const layerBytes = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  const largestPool = numLayers * Math.floor(layerBytes / 256 - 1) * 256;
  const foundBytes = await findFreeBytes(gpu);
  // a software adapter names the same figure whatever is taken
  const roomBytes = gpu.isSoftware ? foundBytes : Math.max(0, foundBytes + freedBytes - takenBytes);
  return Math.min(roomBytes, largestPool);
}

/** `heldBytes`: what the loaded model occupies, which another one would get. Opens a device of its own. */
export async function measureRoom(mostBytes: number, heldBytes: number): Promise<GpuRoom> {
  const gpu = await openGpu({ math: 'f32' });
  try {
    const { isSoftware } = gpu;
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
    const foundBytes = await findFreeBytes(gpu, Math.max(0, mostBytes - (isSoftware ? 0 : heldBytes)));
    const freeBytes = isSoftware ? foundBytes : Math.min(mostBytes, foundBytes + heldBytes);
    return { freeBytes, maxBufferSize, maxStorageBufferBindingSize, isSoftware };
  } finally {
    gpu.destroy();
  }
}
