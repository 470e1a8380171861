import { KvPool } from '../../src/kvcache/kv-pool';
import { assertEqual, gpuTest } from './harness';

gpuTest('kv-pool allocates zeroed slabs of whole layers', async ({ gpu, random }) => {
  const numLayers = random.between(1, 9);
  const shape = { numLayers, numKvHeads: 2, headDim: 8, kvBits: 8, blockTokens: 16, numBlocks: 3 } as const;
  const whole = await KvPool.allocate(gpu, shape);
  assertEqual(whole.slabs.length, 1, 'slabs within the real limits');
  assertEqual(whole.layerAt(numLayers - 1), (numLayers - 1) * whole.layout.layerWords, 'last layer');
  assertEqual(whole.slabs[0]?.size, whole.bytes, 'size');
  whole.destroy();
  const limits = { maxBufferSize: 2 ** 30, maxStorageBufferBindingSize: 2 * whole.layout.layerWords * 4 };
  const { device } = gpu;
  const narrow = {
    limits,
    pushErrorScope: device.pushErrorScope.bind(device),
    popErrorScope: device.popErrorScope.bind(device),
    createBuffer: device.createBuffer.bind(device),
  };
  const split = await KvPool.allocate({ ...gpu, device: narrow as unknown as GPUDevice }, shape);
  assertEqual(split.slabs.length, Math.ceil(numLayers / 2), 'slabs of two layers at most');
  for (let layer = 0; layer < numLayers; layer++) {
    const size = split.slabs[split.slabOf(layer)]?.size ?? 0;
    const end = 4 * (split.layerAt(layer) + split.layout.layerWords);
    if (end > size) throw new Error(`layer ${layer} ends at ${end} of ${size} bytes`);
  }
  split.destroy();
});

gpuTest('kv-pool reads and writes whole blocks and nothing else', async ({ gpu, random }) => {
  const shape = {
    numLayers: 3,
    numKvHeads: 2,
    headDim: 8,
    kvBits: 8,
    blockTokens: 16,
    numBlocks: 5,
  } as const;
  const pool = await KvPool.allocate(gpu, shape);
  const { blockBytes } = pool.layout;
  const all = [0, 1, 2, 3, 4];
  const before = Uint8Array.from({ length: 5 * blockBytes }, () => random.below(256));
  pool.writeBlocks(all, before);
  const blockOf = (bytes: Uint8Array, block: number) =>
    [...bytes.subarray(block * blockBytes, (block + 1) * blockBytes)].join();
  const some = await pool.readBlocks([4, 1]);
  assertEqual(blockOf(some, 0), blockOf(before, 4), 'block 4, read first');
  assertEqual(blockOf(some, 1), blockOf(before, 1), 'block 1, read second');
  pool.writeBlocks([1], before.slice(3 * blockBytes, 4 * blockBytes));
  const after = await pool.readBlocks(all);
  for (const block of all)
    assertEqual(
      blockOf(after, block),
      blockOf(before, block === 1 ? 3 : block),
      `block ${block} after a write`,
    );
  pool.destroy();
});
