import { TabmindError } from '../errors';
import { allocateBuffer, readBuffer } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { type Dispatch, Recorder } from '../gpu/dispatch';
import type { BindingKind } from '../gpu/pipeline';
import { RANDOM_FILL_BINDINGS, randomWords } from '../kernels/random-fill';
import { STREAM_READ_BINDINGS, streamRead } from '../kernels/stream-read';

/** Twenty times the largest cache of a GPU; less where the card has not that much left. */
const MOST_BYTES = 2 ** 30;
const LEAST_BYTES = 32 * 2 ** 20;
/** A program on the CPU reads slowly, and its caches are small. */
const SOFTWARE_BYTES = 16 * 2 ** 20;
const ROUNDS = 3;
/**
 * What the longer of two chains takes at least. Browsers tell of the end of a submit some milliseconds late, so a chain is
 * lengthened until it really takes that long, instead of being computed from one read: that is nearly all latency.
 */
const WANTED_MS = 120;
const MAX_READS = 4096;
const SEED = 1;

/**
 * Bytes per second at which a kernel that does nothing else reads a large buffer: the roof of everything that is bound by
 * memory. Two submits that read it different numbers of times are compared, so that latency drops out; the median of
 * some rounds counts. The buffer holds random words: zeros are stored compressed by some cards, and read faster than the
 * memory is. Throws `out-of-memory` when not even a small buffer can be had, `internal` when the sums are wrong.
 */
export async function measureReadSpeed(gpu: Gpu): Promise<number> {
  const data = await largestBuffer(gpu, gpu.isSoftware ? SOFTWARE_BYTES : MOST_BYTES);
  const sum = gpu.device.createBuffer({
    label: 'sum of the read words',
    size: 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  try {
    const submit = await submitter(gpu, data, sum);
    await submit.fill();
    await submit.reads(1);
    const once = await readSum(gpu, sum);
    let numReads = 1;
    const read = (times: number) => {
      numReads += times;
      return submit.reads(times);
    };
    let longer = 4;
    while (longer < MAX_READS && (await read(longer)) < WANTED_MS) longer *= 2;
    const speeds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const shortMs = await read(longer / 4);
      const longMs = await read(longer);
      speeds.push((0.75 * longer * data.size * 1000) / Math.max(longMs - shortMs, 1e-3));
    }
    checkSum(await readSum(gpu, sum), once, numReads);
    return speeds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  } finally {
    data.destroy();
    sum.destroy();
  }
}

interface Submitter {
  /** Fills the buffer with random words. */
  fill(): Promise<number>;
  /** Reads it that many times in one pass; resolves to the milliseconds until the GPU was done. */
  reads(times: number): Promise<number>;
}

async function submitter(gpu: Gpu, data: GPUBuffer, sum: GPUBuffer): Promise<Submitter> {
  const { device, pipelines } = gpu;
  const recorder = new Recorder(gpu);
  const [fill, read] = [randomWords(gpu, data.size, SEED), streamRead(gpu, data.size)];
  await pipelines.ready();
  const bind = (kinds: readonly BindingKind[], buffers: readonly GPUBuffer[]) =>
    device.createBindGroup({
      layout: pipelines.bindGroupLayout(kinds),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
  const filled = bind(RANDOM_FILL_BINDINGS, [data]);
  const bound = bind(STREAM_READ_BINDINGS, [data, sum]);
  const run = async (bindGroup: GPUBindGroup, dispatches: readonly Dispatch[]) => {
    const encoder = device.createCommandEncoder({ label: 'streaming read' });
    recorder.record(encoder, [{ bindGroup, dispatches }]);
    const startMs = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - startMs;
  };
  return {
    fill: () => run(filled, [fill]),
    reads: (times) => run(bound, new Array<Dispatch>(times).fill(read)),
  };
}

async function largestBuffer(gpu: Gpu, wantedBytes: number): Promise<GPUBuffer> {
  const { limits } = gpu.device;
  const usage = GPUBufferUsage.STORAGE;
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

async function readSum(gpu: Gpu, sum: GPUBuffer): Promise<number> {
  const [word = 0] = new Uint32Array(await readBuffer(gpu.device, sum));
  return word;
}

/** Every read adds the same to the sum (mod 2^32): none was left out. */
function checkSum(sum: number, once: number, numReads: number): void {
  if (once !== 0 && sum === Math.imul(once, numReads) >>> 0) return;
  throw new TabmindError(
    'internal',
    `The sum of ${numReads} reads of a buffer is not that of one read as often.`,
    {
      meaning: 'The measured read speed cannot be trusted.',
      remedy: 'Update the graphics driver.',
    },
  );
}
