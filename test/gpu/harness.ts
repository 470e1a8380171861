/** A very small test runner for kernels: cases register here, page.ts runs them in every arithmetic variant. */

import { readBuffer } from '../../src/gpu/buffer';
import type { Gpu } from '../../src/gpu/device';
import { type Dispatch, Recorder } from '../../src/gpu/dispatch';
import { STEP_BINDINGS } from '../../src/kernels/step-bindings';
import { Random } from '../reference/random';

export interface GpuTest {
  readonly gpu: Gpu;
  readonly random: Random;
  /** True where the kernel computes in f16: compare with the wider tolerance. */
  readonly f16: boolean;
  /** Runs dispatches of forward-step kernels over four buffers and returns what they hold afterwards. */
  runStep(buffers: StepBuffers, dispatches: readonly Dispatch[]): Promise<StepResult>;
}

export interface StepBuffers {
  readonly weights?: Uint32Array;
  /** Fill the outputs with NaN: an element that the kernel does not write then fails the comparison. */
  readonly scratch?: Float32Array;
  readonly kv?: Uint32Array;
  readonly state?: Uint32Array;
}

export interface StepResult {
  readonly scratch: Float32Array;
  readonly kv: Uint32Array;
  readonly state: Uint32Array;
}

export interface GpuCase {
  readonly name: string;
  readonly run: (test: GpuTest) => Promise<void>;
  /** Adapters that can run it at all; it is not counted on others. */
  readonly needs: (gpu: Gpu) => boolean;
}

export const cases: GpuCase[] = [];

/** Registers a case; it runs once for each arithmetic variant that the adapter has. */
export function gpuTest(
  name: string,
  run: (test: GpuTest) => Promise<void>,
  needs: (gpu: Gpu) => boolean = () => true,
): void {
  cases.push({ name, run, needs });
}

export function makeTest(gpu: Gpu, seed: number): GpuTest {
  const recorder = new Recorder(gpu);
  const upload = (data: Uint32Array | Float32Array | undefined) => {
    const bytes = data ?? new Uint32Array(4);
    const buffer = gpu.device.createBuffer({
      size: Math.max(16, Math.ceil(bytes.byteLength / 16) * 16),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    gpu.device.queue.writeBuffer(buffer, 0, bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    return buffer;
  };
  return {
    gpu,
    random: new Random(seed),
    f16: gpu.math === 'f16',
    async runStep(buffers, dispatches) {
      await gpu.pipelines.ready();
      const { weights, scratch, kv, state } = buffers;
      const all = [upload(weights), upload(scratch), upload(kv), upload(state)];
      const bindGroup = gpu.device.createBindGroup({
        layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
        entries: all.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      gpu.device.pushErrorScope('validation');
      const encoder = gpu.device.createCommandEncoder();
      recorder.record(encoder, [{ bindGroup, dispatches }]);
      gpu.device.queue.submit([encoder.finish()]);
      const error = await gpu.device.popErrorScope();
      if (error) throw new Error(`validation: ${error.message}`);
      const [, s, k, t] = all;
      if (!s || !k || !t) throw new Error('unreachable');
      const result = {
        scratch: new Float32Array(await readBuffer(gpu.device, s)),
        kv: new Uint32Array(await readBuffer(gpu.device, k)),
        state: new Uint32Array(await readBuffer(gpu.device, t)),
      };
      for (const buffer of all) buffer.destroy();
      return result;
    },
  };
}

/** |a − b| ≤ abs + rel · max|expected| for every element; NaN never passes. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly rel: number; readonly abs?: number },
  what = 'values',
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} values, expected ${expected.length}`);
  let scale = 0;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i] ?? Number.NaN));
  const limit = (tolerance.abs ?? 1e-6) + tolerance.rel * scale;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(error <= limit))
      throw new Error(
        `${what}[${i}]: ${actual[i]}, expected ${expected[i]} (error ${error}, limit ${limit})`,
      );
  }
}

export function assertEqual<T>(actual: T, expected: T, what = 'value'): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a?.slice(0, 300)}, expected ${b?.slice(0, 300)}`);
}

export function nans(count: number): Float32Array {
  return new Float32Array(count).fill(Number.NaN);
}
