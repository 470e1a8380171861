import { allocateBuffer, readBuffer } from '../../src/gpu/buffer';
import { UploadRing } from '../../src/weights/upload-ring';
import { assertEqual, gpuTest } from './harness';

gpuTest('upload ring: pieces of any size arrive, the last write of a place wins', async ({ gpu, random }) => {
  const sizeBytes = 4096;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const target = await allocateBuffer(gpu.device, 'target', sizeBytes, usage);
  const expected = new Uint8Array(sizeBytes);
  const ring = new UploadRing(gpu.device, 256);
  for (let i = 0; i < 40; i++) {
    const length = 4 * (1 + random.below(200));
    const offset = 4 * random.below((sizeBytes - length) / 4);
    const bytes = new Uint8Array(length).fill(i + 1);
    await ring.write(target, offset, bytes);
    expected.set(bytes, offset);
    // the caller may use its bytes again at once
    bytes.fill(0);
  }
  await ring.settled();
  const actual = new Uint8Array(await readBuffer(gpu.device, target));
  assertEqual(
    actual.findIndex((byte, i) => byte !== expected[i]),
    -1,
    'first wrong byte',
  );
  ring.destroy();
  target.destroy();
});

gpuTest('upload ring: may be destroyed in the middle, and made again', async ({ gpu }) => {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const target = await allocateBuffer(gpu.device, 'target', 1024, usage);
  const ring = new UploadRing(gpu.device, 256);
  for (const value of [1, 2]) {
    await ring.write(target, 0, new Uint8Array(1024).fill(value));
    ring.destroy();
  }
  const actual = new Uint8Array(await readBuffer(gpu.device, target));
  assertEqual(
    actual.findIndex((byte) => byte !== 2),
    -1,
    'what was submitted arrives',
  );
  target.destroy();
});
