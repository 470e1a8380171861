import { readBuffer } from '../../src/gpu/buffer';
import { Recorder } from '../../src/gpu/dispatch';
import { type FloatDtype, QUANTIZE_BINDINGS, type QuantizeCall, quantize } from '../../src/kernels/quantize';
import { packedLinear } from '../../src/weights/packed-tensor';
import { floatToHalf } from '../reference/half';
import { quantizeTwin } from '../reference/quantize';
import type { Random } from '../reference/random';
import { assertEqual, type GpuTest, gpuTest } from './harness';

for (const dtype of ['F32', 'F16', 'BF16'] as const)
  for (const format of ['w4', 'w8', 'w16'] as const)
    gpuTest(`quantize ${dtype} to ${format}`, async (test) => {
      for (let round = 0; round < 6; round++) {
        const { random } = test;
        const [rows, cols] = [random.between(1, 40), random.between(1, 400)];
        const tensor = packedLinear('w', format, rows, cols, random.pick([32, 64, 128]));
        const call: QuantizeCall = {
          dtype,
          format,
          groupSize: tensor.groupSize,
          rows,
          cols,
          paddedCols: tensor.paddedCols,
          codesAt: 16,
          scalesAt: 16 + tensor.codesBytes / 4,
          flagAt: round,
        };
        const numWords = 16 + tensor.totalBytes / 4;
        const values = oddValues(random, rows * cols);
        if (round === 4)
          values[random.below(values.length)] = random.pick([Number.NaN, Number.POSITIVE_INFINITY]);
        if (round === 5 && dtype !== 'F16') values[random.below(values.length)] = -3e7;
        await compare(test, call, encode(values, dtype), numWords);
      }
    });

async function compare(
  test: GpuTest,
  call: QuantizeCall,
  bytes: Uint8Array,
  numWords: number,
): Promise<void> {
  const expected = new Uint32Array(numWords);
  const expectedFlags = new Uint32Array(8);
  quantizeTwin(bytes, call, expected, expectedFlags);
  const { device, pipelines } = test.gpu;
  const make = (size: number) =>
    device.createBuffer({
      size: Math.ceil(size / 16) * 16,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
  const [source, flags, packed] = [make(bytes.length), make(32), make(numWords * 4)];
  device.queue.writeBuffer(source, 0, bytes.buffer as ArrayBuffer);
  const dispatch = quantize(test.gpu, call);
  await pipelines.ready();
  const bindGroup = device.createBindGroup({
    layout: pipelines.bindGroupLayout(QUANTIZE_BINDINGS),
    entries: [source, flags, packed].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  new Recorder(test.gpu).record(encoder, [{ bindGroup, dispatches: [dispatch] }]);
  device.queue.submit([encoder.finish()]);
  const actual = new Uint32Array(await readBuffer(device, packed, 0, numWords * 4));
  const actualFlags = new Uint32Array(await readBuffer(device, flags));
  for (const buffer of [source, flags, packed]) buffer.destroy();
  const what = `${call.rows}x${call.cols} groups of ${call.groupSize}`;
  assertEqual([...actualFlags], [...expectedFlags], `${what}: flags`);
  if ((expectedFlags[call.flagAt] ?? 0) !== 0) return;
  for (let i = 0; i < numWords; i++)
    if (actual[i] !== expected[i])
      throw new Error(
        `${what}: word ${i} is ${actual[i]?.toString(16)}, expected ${expected[i]?.toString(16)}`,
      );
}

/** Groups of very different size, one-sided ones, exact ties, zeros and subnormals. */
function oddValues(random: Random, count: number): Float32Array {
  let [scale, shift] = [1, 0];
  return Float32Array.from({ length: count }, (_, i) => {
    if (i % 32 === 0) {
      scale = 10 ** random.between(-8, 2);
      shift = random.pick([0, 0, 0, 3, -3]) * scale;
    }
    return random.pick([
      random.normal() * scale + shift,
      random.normal() * scale,
      0,
      (random.between(-9, 9) / 2) * scale,
    ]);
  });
}

function encode(values: Float32Array, dtype: FloatDtype): Uint8Array {
  const size = dtype === 'F32' ? 4 : 2;
  const bytes = new Uint8Array(Math.ceil((values.length * size) / 4) * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries())
    if (dtype === 'F32') view.setFloat32(4 * i, value, true);
    else if (dtype === 'F16') view.setUint16(2 * i, floatToHalf(value), true);
    else {
      const bf16 = new DataView(new ArrayBuffer(4));
      bf16.setFloat32(0, value);
      view.setUint16(2 * i, bf16.getUint16(0), true);
    }
  return bytes;
}
