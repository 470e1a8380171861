import { TabmindError } from '../errors';

/** Creates a buffer and waits until the device has really given the memory. Throws `out-of-memory`. */
export async function allocateBuffer(
  device: GPUDevice,
  label: string,
  sizeBytes: number,
  usage: GPUBufferUsageFlags,
): Promise<GPUBuffer> {
  if (sizeBytes > device.limits.maxBufferSize) throw outOfMemory(label, sizeBytes);
  device.pushErrorScope('out-of-memory');
  const buffer = device.createBuffer({ label, size: Math.max(16, Math.ceil(sizeBytes / 16) * 16), usage });
  const error = await device.popErrorScope();
  if (error) {
    buffer.destroy();
    throw outOfMemory(label, sizeBytes);
  }
  return buffer;
}

function outOfMemory(label: string, sizeBytes: number): TabmindError {
  const mib = Math.ceil(sizeBytes / 2 ** 20);
  return new TabmindError('out-of-memory', `The graphics card could not give ${mib} MiB for ${label}.`, {
    meaning: 'The model does not fit beside what is already on the card.',
    remedy:
      'Close other programs that use the graphics card, or choose a smaller model or a shorter context.',
    details: { label, mib },
  });
}

/** Copies [offset, offset + sizeBytes) of a COPY_SRC buffer to the host. Sizes are multiples of 4. */
export async function readBuffer(
  device: GPUDevice,
  source: GPUBuffer,
  offset = 0,
  sizeBytes = source.size - offset,
): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  await readInto(device, source, offset, bytes);
  return bytes.buffer;
}

/** Fills `bytes` from a COPY_SRC buffer, from `offset` on. Multiples of 4. */
export async function readInto(
  device: GPUDevice,
  source: GPUBuffer,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const staging = device.createBuffer({
    label: 'readback',
    size: bytes.length,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, offset, staging, 0, bytes.length);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  bytes.set(new Uint8Array(staging.getMappedRange()));
  staging.destroy();
}

/** Bytes [offset, offset + sizeBytes) of a buffer; multiples of 4. */
export interface Piece {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Copies many small pieces to the host at once. */
export async function readPieces(
  device: GPUDevice,
  pieces: readonly Piece[],
): Promise<readonly Uint32Array[]> {
  const total = pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0);
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const gathered = await allocateBuffer(device, 'gathered', total, usage);
  try {
    const encoder = device.createCommandEncoder();
    let end = 0;
    const starts = pieces.map(({ buffer, offset, sizeBytes }) => {
      const start = end;
      if (sizeBytes > 0) encoder.copyBufferToBuffer(buffer, offset, gathered, start, sizeBytes);
      end += sizeBytes;
      return start;
    });
    device.queue.submit([encoder.finish()]);
    const words = new Uint32Array(await readBuffer(device, gathered));
    return pieces.map(({ sizeBytes }, i) => {
      const start = (starts[i] ?? 0) / 4;
      return words.slice(start, start + sizeBytes / 4);
    });
  } finally {
    gathered.destroy();
  }
}
