import { readBuffer } from '../../src/gpu/buffer';
import { Recorder } from '../../src/gpu/dispatch';
import { RANDOM_FILL_BINDINGS, type RandomFillCall, randomFill } from '../../src/kernels/random-fill';
import { packedLinear } from '../../src/weights/packed-tensor';
import { packedElement } from '../reference/packed';
import { randomFillTwin } from '../reference/random-fill';
import { assertClose, assertEqual, type GpuTest, gpuTest } from './harness';

const GUARD_BYTES = 256;
const POISON = 0xdeadbeef;

for (const format of ['w4', 'w8', 'w16'] as const) {
  gpuTest(`random-fill ${format}: the twin's words, and no others`, async (test) => {
    const { random } = test;
    for (let round = 0; round < 6; round++) {
      const [rows, cols] = [random.between(1, 70), random.between(1, 500)];
      const packed = packedLinear('w', format, rows, cols, random.pick([32, 64, 128]));
      const tensor = { ...packed, slab: 0, byteOffset: GUARD_BYTES };
      // images may be larger than a slab, up to the last word that a u32 can count
      const imageOffset = random.pick([0, 256 * random.below(2 ** 20), (2 ** 32 - 64 * 2 ** 10) * 4]);
      const seed = random.below(2 ** 32);
      const words = await fill(test, { tensor, imageOffset, seed });
      const [start, end] = [GUARD_BYTES / 4, (GUARD_BYTES + packed.totalBytes) / 4];
      const outside = [...words.subarray(0, start), ...words.subarray(end)];
      assertEqual(
        outside.every((word) => word === POISON),
        true,
        'words around it are untouched',
      );
      const expected = randomFillTwin(packed, imageOffset / 4, seed);
      assertEqual([...words.subarray(start, end)], [...expected], `${rows}x${cols} ${format}`);
    }
  });

  gpuTest(
    `random-fill ${format}: mean 0, deviation 1 / sqrt(cols), another seed another matrix`,
    async (test) => {
      const [rows, cols] = [64, 512];
      const packed = packedLinear('w', format, rows, cols, 128);
      const call = {
        tensor: { ...packed, slab: 0, byteOffset: 0 },
        imageOffset: 4096,
        seed: test.random.below(2 ** 32),
      };
      const words = await fill(test, call);
      let [sum, squares] = [0, 0];
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < cols; k++) {
          const w = packedElement(packed, words, row, k);
          sum += w;
          squares += w * w;
        }
      const [count, deviation] = [rows * cols, 1 / Math.sqrt(cols)];
      // the mean of 32768 draws deviates by 0.0055, group zeros by 0.0068 of a deviation each: 5 sigmas
      assertClose([sum / count / deviation], [0], { rel: 0, abs: 0.05 }, 'mean');
      // the exponent of w16 is rounded to a power of two; w4 steps vary by up to 63 / 1024
      const wide = format === 'w16' ? 0.42 : 0.08;
      assertClose([Math.sqrt(squares / count) / deviation], [1], { rel: 0, abs: wide }, 'deviation');
      const other = await fill(test, { ...call, seed: call.seed + 1 });
      const same = words.filter((word, i) => word === other[i]).length;
      assertEqual(
        same < words.length / 10,
        true,
        `${same} of ${words.length} words of another seed are the same`,
      );
    },
  );
}

async function fill({ gpu }: GpuTest, call: RandomFillCall): Promise<Uint32Array> {
  const { device, pipelines } = gpu;
  const { tensor } = call;
  const poisoned = new Uint32Array((tensor.byteOffset + tensor.totalBytes + GUARD_BYTES) / 4).fill(POISON);
  const slab = device.createBuffer({
    size: poisoned.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
  });
  device.queue.writeBuffer(slab, 0, poisoned);
  const dispatch = randomFill(gpu, call);
  await pipelines.ready();
  const bindGroup = device.createBindGroup({
    layout: pipelines.bindGroupLayout(RANDOM_FILL_BINDINGS),
    entries: [{ binding: 0, resource: { buffer: slab } }],
  });
  const encoder = device.createCommandEncoder();
  new Recorder(gpu).record(encoder, [{ bindGroup, dispatches: [dispatch] }]);
  device.queue.submit([encoder.finish()]);
  const words = new Uint32Array(await readBuffer(device, slab));
  slab.destroy();
  return words;
}
