import { TabmindError } from '../errors';
import { allocateBuffer, readBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type Dispatch, Recorder } from '../gpu/dispatch';
import { STREAM_READ_BINDINGS, streamRead } from '../kernels/stream-read';

/** Far more than any cache holds; less where the card has not that much left. */
const MOST_BYTES = 512 * 2 ** 20;
const LEAST_BYTES = 32 * 2 ** 20;
/** A program on the CPU reads slowly, and its caches are small. */
const SOFTWARE_BYTES = 16 * 2 ** 20;
const ROUNDS = 3;
/** Time that the longer of two submits should take, so that what every submit costs beside the reading drops out. */
const WANTED_MS = 40;
const MAX_READS = 256;

/**
 * Bytes per second at which a kernel that does nothing else reads a large buffer: the roof of everything that is bound by
 * memory. Two submits that read it different numbers of times are compared, so that latency drops out; the median of
 * some rounds counts. Throws `out-of-memory` when not even a small buffer can be had, `internal` when the sums are wrong.
 */
export async function measureReadSpeed(gpu: Gpu): Promise<number> {
  const data = await largestBuffer(gpu, gpu.isSoftware ? SOFTWARE_BYTES : MOST_BYTES);
  const sum = gpu.device.createBuffer({
    label: 'sum of the read words',
    size: 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  try {
    gpu.device.queue.writeBuffer(data, 0, new Uint32Array([1]));
    const read = await reader(gpu, data, sum);
    // The first one pays for clearing the buffer and for the pipeline.
    await read(1);
    const onceMs = await read(1);
    const fewer = Math.max(1, Math.min(MAX_READS / 4, Math.ceil(WANTED_MS / 4 / onceMs)));
    const speeds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const shortMs = await read(fewer);
      const longMs = await read(4 * fewer);
      speeds.push((3 * fewer * data.size * 1000) / Math.max(longMs - shortMs, 1e-3));
    }
    await checkSum(gpu, sum, 2 + ROUNDS * (fewer + 4 * fewer));
    return speeds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  } finally {
    data.destroy();
    sum.destroy();
  }
}

/** Submits that many reads in one pass; resolves to the milliseconds until the GPU was done. */
async function reader(
  gpu: Gpu,
  data: GPUBuffer,
  sum: GPUBuffer,
): Promise<(times: number) => Promise<number>> {
  const { device, pipelines } = gpu;
  const recorder = new Recorder(gpu);
  const dispatch = streamRead(gpu, data.size);
  await pipelines.ready();
  const bindGroup = device.createBindGroup({
    layout: pipelines.bindGroupLayout(STREAM_READ_BINDINGS),
    entries: [data, sum].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return async (times) => {
    const dispatches = new Array<Dispatch>(times).fill(dispatch);
    const encoder = device.createCommandEncoder({ label: 'streaming read' });
    recorder.record(encoder, [{ bindGroup, dispatches }]);
    const startMs = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - startMs;
  };
}

async function largestBuffer(gpu: Gpu, wantedBytes: number): Promise<GPUBuffer> {
  const { limits } = gpu.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  let sizeBytes = Math.min(wantedBytes, limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  for (;;)
    try {
      return await allocateBuffer(gpu.device, 'a streaming read', sizeBytes, usage);
    } catch (thrown) {
      const isMemory = thrown instanceof TabmindError && thrown.code === 'out-of-memory';
      if (!isMemory || sizeBytes / 2 < LEAST_BYTES) throw thrown;
      sizeBytes = Math.floor(sizeBytes / 32) * 16;
    }
}

/** The buffer holds a one and zeros, so the sum counts the reads: none was left out. */
async function checkSum(gpu: Gpu, sum: GPUBuffer, numReads: number): Promise<void> {
  const [counted] = new Uint32Array(await readBuffer(gpu.device, sum));
  if (counted !== numReads)
    throw new TabmindError(
      'internal',
      `The buffer was read ${numReads} times, but ${counted} were counted.`,
      {
        meaning: 'The measured read speed cannot be trusted.',
        remedy: 'Update the graphics driver.',
      },
    );
}
