import { TabmindError } from '../errors';
import { allocateBuffer } from './buffer';
import type { Gpu } from './device';

const STEP_BYTES = 256 * 2 ** 20;
/** More than a cache for 64 long conversations takes. */
const MAX_BYTES = 64 * 2 ** 30;
/** A software adapter takes the computer's own memory, and all of it if it is asked to. */
const SOFTWARE_BYTES = 2 ** 30;

/**
 * Bytes that the graphics card gives when asked, found out by asking: WebGPU does not say. In steps of 256 MiB, all given
 * back before it resolves; other programs may take them meanwhile. Asks for no more than `mostBytes`.
 */
export async function findFreeBytes(gpu: Gpu, mostBytes = MAX_BYTES): Promise<number> {
  if (gpu.isSoftware) return Math.min(SOFTWARE_BYTES, mostBytes);
  const buffers: GPUBuffer[] = [];
  const stepBytes = Math.min(STEP_BYTES, gpu.device.limits.maxBufferSize);
  try {
    while ((buffers.length + 1) * stepBytes <= mostBytes)
      buffers.push(await allocateBuffer(gpu.device, 'probe', stepBytes, GPUBufferUsage.STORAGE));
  } catch (thrown) {
    if (!(thrown instanceof TabmindError) || thrown.code !== 'out-of-memory') throw thrown;
  } finally {
    for (const buffer of buffers) buffer.destroy();
  }
  return buffers.length * stepBytes;
}
