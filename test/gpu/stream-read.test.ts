import { readBuffer } from '../../src/gpu/buffer';
import { Recorder } from '../../src/gpu/dispatch';
import { STREAM_READ_BINDINGS, streamRead } from '../../src/kernels/stream-read';
import { measureReadSpeed } from '../../src/runner/read-speed';
import { streamReadTwin } from '../reference/stream-read';
import { assertEqual, gpuTest } from './harness';

gpuTest('stream-read adds every word once, and none behind the end', async ({ gpu, random }) => {
  const { device, pipelines } = gpu;
  for (const numFours of [1, random.between(2, 255), 2048, random.between(2049, 9000)]) {
    const words = Uint32Array.from({ length: numFours * 4 + 64 }, () => random.below(2 ** 32));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const data = device.createBuffer({ size: words.byteLength, usage });
    const sum = device.createBuffer({ size: 16, usage });
    device.queue.writeBuffer(data, 0, words);
    const dispatch = streamRead(gpu, numFours * 16);
    await pipelines.ready();
    const bindGroup = device.createBindGroup({
      layout: pipelines.bindGroupLayout(STREAM_READ_BINDINGS),
      entries: [data, sum].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const encoder = device.createCommandEncoder();
    new Recorder(gpu).record(encoder, [{ bindGroup, dispatches: [dispatch, dispatch] }]);
    device.queue.submit([encoder.finish()]);
    const [actual] = new Uint32Array(await readBuffer(device, sum));
    for (const buffer of [data, sum]) buffer.destroy();
    const once = streamReadTwin(words.subarray(0, numFours * 4));
    assertEqual(actual, (2 * once) >>> 0, `${numFours} fours, read twice`);
  }
});

gpuTest('stream-read speed is a number that memory can have', async ({ gpu }) => {
  const bytesPerSecond = await measureReadSpeed(gpu);
  assertEqual(bytesPerSecond > 1e7 && bytesPerSecond < 2e13, true, `${bytesPerSecond} bytes per second`);
});
