import { readBuffer } from '../../src/gpu/buffer';
import { Recorder } from '../../src/gpu/dispatch';
import { QUANTIZE_BINDINGS } from '../../src/kernels/quantize';
import { type CodeLayout, FIRST_AXIS, type RepackCall, repack } from '../../src/kernels/repack';
import type { Random } from '../reference/random';
import { repackTwin } from '../reference/repack';
import { type GpuTest, gpuTest } from './harness';

const GUARD = 0xdeadbeef;

for (const layout of ['awq-gemm', 'gptq', 'row-major', 'awq-fast'] as const)
  for (const permuted of [false, true])
    gpuTest(`repack ${layout}${permuted ? ' permuted' : ''}`, async (test) => {
      for (let round = 0; round < 4; round++) await compare(test, layout, permuted);
    });

async function compare(test: GpuTest, layout: CodeLayout, permuted: boolean): Promise<void> {
  const { random } = test;
  const sourceRows = 8 * random.between(1, 20);
  const cols = layout === 'awq-fast' ? 64 * random.between(1, 4) : sizeOf(random, layout);
  const paddedCols = Math.ceil(cols / 32) * 32;
  const sourceRow = random.below(sourceRows);
  const rows = random.between(1, sourceRows - sourceRow);
  const [permAt, codesAt] = [16, 16 + Math.ceil(cols / 4) * 4 + 4];
  const slab = new Uint32Array(codesAt + (rows * paddedCols) / 8 + 16).fill(GUARD);
  if (permuted) slab.set(shuffled(random, cols), permAt);
  const { columns, rows: rowsPerIndex } = FIRST_AXIS[layout];
  const length = columns > 0 ? Math.ceil(cols / columns) : sourceRows / rowsPerIndex;
  const step = Math.ceil(length / random.between(1, 3) / 8) * 8;
  const expected = slab.slice();
  const calls: { call: RepackCall; source: Uint32Array }[] = [];
  for (let first = 0; first < length; first += step) {
    const count = Math.min(step, length - first);
    const [from, to] = columns > 0 ? [0, sourceRows] : [first * rowsPerIndex, (first + count) * rowsPerIndex];
    const [start, end] = [Math.max(sourceRow, from), Math.min(sourceRow + rows, to)];
    if (start >= end) continue;
    const indexWords =
      layout === 'awq-gemm'
        ? sourceRows / 8
        : layout === 'gptq'
          ? sourceRows
          : Math.ceil(cols / 8) * rowsPerIndex;
    const source = Uint32Array.from({ length: count * indexWords }, () => random.below(2 ** 32));
    const call: RepackCall = {
      layout,
      cols,
      paddedCols,
      sourceRows,
      first,
      count,
      sourceRow: start,
      rows: end - start,
      codesAt: codesAt + ((start - sourceRow) * paddedCols) / 8,
      permAt: permuted ? permAt : null,
    };
    repackTwin(source, call, expected);
    calls.push({ call, source });
  }
  const actual = await run(test, calls, slab);
  for (const [i, word] of expected.entries())
    if (actual[i] !== word)
      throw new Error(
        `${sourceRows}x${cols}, rows ${sourceRow} + ${rows}: word ${i - codesAt} is ${actual[i]?.toString(16)}, expected ${word.toString(16)}`,
      );
}

async function run(
  { gpu }: GpuTest,
  calls: readonly { readonly call: RepackCall; readonly source: Uint32Array }[],
  slab: Uint32Array,
): Promise<Uint32Array> {
  const { device, pipelines } = gpu;
  const make = (size: number) =>
    device.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
  const largest = Math.max(...calls.map(({ source }) => source.byteLength));
  const [source, flags, packed] = [make(largest), make(16), make(slab.byteLength)];
  device.queue.writeBuffer(packed, 0, slab.buffer as ArrayBuffer);
  const bindGroup = device.createBindGroup({
    layout: pipelines.bindGroupLayout(QUANTIZE_BINDINGS),
    entries: [source, flags, packed].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const recorder = new Recorder(gpu);
  for (const { call, source: words } of calls) {
    const dispatch = repack(gpu, call);
    await pipelines.ready();
    device.queue.writeBuffer(source, 0, words.buffer as ArrayBuffer);
    const encoder = device.createCommandEncoder();
    recorder.record(encoder, [{ bindGroup, dispatches: [dispatch] }]);
    device.queue.submit([encoder.finish()]);
  }
  const result = new Uint32Array(await readBuffer(device, packed, 0, slab.byteLength));
  for (const buffer of [source, flags, packed]) buffer.destroy();
  return result;
}

/** Any number of columns where the layout can have it: awq-gemm and row-major need no multiple of eight. */
function sizeOf(random: Random, layout: CodeLayout): number {
  return layout === 'gptq' ? 8 * random.between(1, 40) : random.between(1, 300);
}

function shuffled(random: Random, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
