/** The browser half of kernel tuning: GPU time of one linear in many cuts, from weights too large for the L2 cache. */

import { type Gpu, openGpu } from '../../src/gpu/device';
import { type Dispatch, Recorder } from '../../src/gpu/dispatch';
import { type GemvTile, gemv, gemvTile } from '../../src/kernels/gemv';
import type { LinearCall } from '../../src/kernels/linear-call';
import { STEP_BINDINGS } from '../../src/kernels/step-bindings';
import { type PlacedTensor, packedLinear, packedVector } from '../../src/weights/packed-tensor';

export interface LinearShape {
  readonly name: string;
  readonly format: 'w4' | 'w8';
  readonly rows: number;
  readonly cols: number;
  readonly numRows: number;
  readonly norm: boolean;
  readonly gate: boolean;
  readonly residual: boolean;
}

export interface Timed {
  readonly tile: GemvTile;
  readonly microseconds: number;
  readonly gigabytesPerSecond: number;
}

const WEIGHT_BYTES = 1024 * 2 ** 20;
const NORM_BYTES = 64 * 1024;
/** As a scale word: s = 0.0625, z = 8. */
const WORD = 0x4800_2c00;
const PASS_BYTES = 3e9;

let gpu: Gpu;
let bindGroup: GPUBindGroup;
let querySet: GPUQuerySet;
let stamps: GPUBuffer;

async function open(math: 'f32' | 'f16') {
  gpu = await openGpu({ math });
  const { device } = gpu;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const weights = device.createBuffer({ size: WEIGHT_BYTES, usage });
  const seed = new Uint32Array(2 ** 22).fill(WORD);
  for (let at = 0; at < WEIGHT_BYTES; at += seed.byteLength) device.queue.writeBuffer(weights, at, seed);
  const others = [4 * 2 ** 20, 1024, 1024].map((size) => device.createBuffer({ size, usage }));
  bindGroup = device.createBindGroup({
    layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
    entries: [weights, ...others].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  stamps = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  return gpu.info;
}

function callOf(shape: LinearShape, copy: number): LinearCall {
  const packed = packedLinear('w', shape.format, shape.rows, shape.cols);
  const weight: PlacedTensor = { ...packed, slab: 0, byteOffset: NORM_BYTES + copy * packed.totalBytes };
  const norm: PlacedTensor = { ...packedVector('g', shape.cols), slab: 0, byteOffset: 0 };
  const outAt = 2 ** 19;
  return {
    weight,
    numRows: shape.numRows,
    inAt: 0,
    outAt,
    ...(shape.norm ? { norm: { weight: norm, eps: 1e-5 } } : {}),
    ...(shape.gate ? { gate: 'silu' } : {}),
    ...(shape.residual ? { residualAt: outAt } : {}),
  };
}

function dispatchesOf(shape: LinearShape, tile: GemvTile): { list: Dispatch[]; bytes: number } {
  const { totalBytes } = packedLinear('w', shape.format, shape.rows, shape.cols);
  const copies = Math.floor((WEIGHT_BYTES - NORM_BYTES) / totalBytes);
  const count = Math.min(2000, Math.max(8, Math.ceil(PASS_BYTES / totalBytes)));
  const list = Array.from({ length: count }, (_, i) => gemv(gpu, callOf(shape, i % copies), tile));
  return { list, bytes: count * totalBytes };
}

async function time(shape: LinearShape, tile: GemvTile): Promise<Timed> {
  const { list, bytes } = dispatchesOf(shape, tile);
  const { device } = gpu;
  const encoder = device.createCommandEncoder();
  new Recorder(gpu).record(encoder, [{ bindGroup, dispatches: list }], {
    querySet,
    beginningOfPassWriteIndex: 0,
    endOfPassWriteIndex: 1,
  });
  const read = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  encoder.resolveQuerySet(querySet, 0, 2, stamps, 0);
  encoder.copyBufferToBuffer(stamps, 0, read, 0, 16);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const [begin = 0n, end = 0n] = new BigUint64Array(read.getMappedRange());
  const nanoseconds = Number(end - begin);
  read.destroy();
  return { tile, microseconds: nanoseconds / 1000 / list.length, gigabytesPerSecond: bytes / nanoseconds };
}

/** Every cut of one shape, fastest first; those that this adapter cannot build are left out. */
async function tune(shape: LinearShape, tiles: readonly GemvTile[]) {
  const own = gemvTile(gpu, callOf(shape, 0));
  const all = [own, ...tiles];
  for (const tile of all) gemv(gpu, callOf(shape, 0), tile);
  await gpu.pipelines.ready();
  const times: Timed[] = [];
  for (const tile of all) times.push(await time(shape, tile));
  return { own: times[0], best: times.slice(1).sort((a, b) => a.microseconds - b.microseconds) };
}

Object.assign(globalThis, { tabmindTune: { open, tune } });
