/** How fast bytes reach the GPU by each way there is, and how fast they are hashed: what a load from the cache is made of. */

import { allocateBuffer } from '../../src/gpu/buffer';
import { openGpu } from '../../src/gpu/device';
import { sha256 } from '../../src/weights/digest';
import { UploadRing } from '../../src/weights/upload-ring';

const PIECE_BYTES = 16 * 2 ** 20;
/** As many as a load hashes at once. */
const NUM_HASHED = 4;

export interface UploadSpeed {
  readonly way: string;
  readonly bytesPerSecond: number;
}

/** Moves `totalBytes` in pieces of 16 MiB, after one piece to warm up. */
export async function uploadSpeeds(totalBytes: number): Promise<readonly UploadSpeed[]> {
  const { device, destroy } = await openGpu({ math: 'f32' });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const target = await allocateBuffer(device, 'target', 4 * PIECE_BYTES, usage);
  const bytes = new Uint8Array(PIECE_BYTES).map((_, i) => i * 2654435761);
  const ring = new UploadRing(device, PIECE_BYTES);
  const offsetOf = (piece: number) => (piece % 4) * PIECE_BYTES;
  const ways: Readonly<Record<string, (piece: number) => Promise<void>>> = {
    writeBuffer: async (piece) => device.queue.writeBuffer(target, offsetOf(piece), bytes),
    'staging ring': (piece) => ring.write(target, offsetOf(piece), bytes),
    'fresh mappedAtCreation': async (piece) => copyMapped(device, target, offsetOf(piece), bytes),
    [`sha256, ${NUM_HASHED} at once`]: async (piece) => {
      if (piece % NUM_HASHED === 0)
        await Promise.all(Array.from({ length: NUM_HASHED }, () => sha256(bytes)));
    },
  };
  const numPieces = Math.max(NUM_HASHED, Math.ceil(totalBytes / PIECE_BYTES / NUM_HASHED) * NUM_HASHED);
  const speeds: UploadSpeed[] = [];
  for (const [way, move] of Object.entries(ways)) {
    await move(0);
    await device.queue.onSubmittedWorkDone();
    const startMs = performance.now();
    for (let piece = 0; piece < numPieces; piece++) {
      await move(piece);
      // what is queued stays bounded, as in a load
      if (piece % NUM_HASHED === NUM_HASHED - 1) await device.queue.onSubmittedWorkDone();
    }
    const seconds = (performance.now() - startMs) / 1000;
    speeds.push({ way, bytesPerSecond: (numPieces * PIECE_BYTES) / seconds });
  }
  ring.destroy();
  destroy();
  return speeds;
}

function copyMapped(
  device: GPUDevice,
  target: GPUBuffer,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
): void {
  const usage = GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC;
  const staging = device.createBuffer({ size: bytes.length, usage, mappedAtCreation: true });
  new Uint8Array(staging.getMappedRange()).set(bytes);
  staging.unmap();
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(staging, 0, target, offset, bytes.length);
  device.queue.submit([encoder.finish()]);
  staging.destroy();
}
