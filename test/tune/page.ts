/** The browser half of kernel tuning: GPU time of one linear in many cuts, or of attention, from memory too large for the L2 cache. */

import { type Gpu, openGpu } from '../../src/gpu/device';
import { type Dispatch, Recorder } from '../../src/gpu/dispatch';
import type { Defines } from '../../src/gpu/shader';
import { packChunk } from '../../src/kernels/chunk-rows';
import { attentionThreads, decodeAttention, partialFloats } from '../../src/kernels/decode-attention';
import { gemm } from '../../src/kernels/gemm';
import { gemmInteger } from '../../src/kernels/gemm-integer';
import { gemmMatrix, MATRIX_TILES, type MatrixTile } from '../../src/kernels/gemm-matrix';
import { type GemvTile, gemv, gemvTile } from '../../src/kernels/gemv';
import { gemvRows } from '../../src/kernels/gemv-rows';
import { INTEGER_TILES, type IntegerCut } from '../../src/kernels/integer-cut';
import { kvLayout } from '../../src/kernels/kv-layout';
import type { LinearCall } from '../../src/kernels/linear-call';
import { PREFILL_PARTIALS, prefillAttention, prefillSplits } from '../../src/kernels/prefill-attention';
import { stageRows } from '../../src/kernels/stage-rows';
import { STEP_BINDINGS } from '../../src/kernels/step-bindings';
import { SLOT, stateLayout } from '../../src/kernels/step-state';
import { type PlacedTensor, packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { withEdits } from '../gpu/edited-gpu';
import { type BatchShape, batchCase } from './batch';
import { type LayersShape, layersCase } from './layers';
import { rowsTiles } from './rows';

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

type Edits = readonly (readonly [string, string])[];

const WEIGHT_BYTES = 1024 * 2 ** 20;
const NORM_BYTES = 64 * 1024;
/** As a scale word: s = 0.0625, z = 8. */
const WORD = 0x4800_2c00;
const PASS_BYTES = 3e9;
const WARM_MS = 6000;
const PREPARED = { rowsAt: 2 ** 23, partsAt: 2 ** 23 + 2 ** 22, partFloats: 2 ** 22 };

let gpu: Gpu;
let weightBuffer: GPUBuffer;
let bindGroup: GPUBindGroup;
let querySet: GPUQuerySet;
let stamps: GPUBuffer;

async function open(math: 'f32' | 'f16') {
  gpu = await openGpu({ math });
  const { device } = gpu;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const weights = device.createBuffer({ size: WEIGHT_BYTES, usage });
  weightBuffer = weights;
  const seed = new Uint32Array(2 ** 22).fill(WORD);
  for (let at = 0; at < WEIGHT_BYTES; at += seed.byteLength) device.queue.writeBuffer(weights, at, seed);
  const others = [128 * 2 ** 20, 1024, 1024].map((size) => device.createBuffer({ size, usage }));
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
  const outAt = 2 ** 24;
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

/** Copies of the weight that there is room for: no cache holds them. */
function copiesOf(shape: LinearShape): number {
  const { totalBytes } = packedLinear('w', shape.format, shape.rows, shape.cols);
  return Math.floor((WEIGHT_BYTES - NORM_BYTES) / totalBytes);
}

/** One after another, of all copies in turn. */
function callsOf(shape: LinearShape, count: number): readonly LinearCall[] {
  const copies = copiesOf(shape);
  return Array.from({ length: count }, (_, i) => callOf(shape, i % copies));
}

function dispatchesOf(shape: LinearShape, tile: GemvTile): { list: Dispatch[]; bytes: number } {
  const { totalBytes } = packedLinear('w', shape.format, shape.rows, shape.cols);
  const count = Math.min(2000, Math.max(8, Math.ceil(PASS_BYTES / totalBytes)));
  const list = callsOf(shape, count).map((call) => gemv(gpu, call, tile));
  return { list, bytes: count * totalBytes };
}

async function time(shape: LinearShape, tile: GemvTile): Promise<Timed> {
  const { list, bytes } = dispatchesOf(shape, tile);
  const nanoseconds = await timeDispatches(list, bindGroup);
  return { tile, microseconds: nanoseconds / 1000 / list.length, gigabytesPerSecond: bytes / nanoseconds };
}

/** Clocks rise only under load. */
async function warm(list: readonly Dispatch[], bindGroup: GPUBindGroup, ms = 300): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    for (let i = 0; i < 2; i++) {
      const encoder = gpu.device.createCommandEncoder();
      new Recorder(gpu).record(encoder, [{ bindGroup, dispatches: list }]);
      gpu.device.queue.submit([encoder.finish()]);
    }
    await gpu.device.queue.onSubmittedWorkDone();
  }
}

async function timeDispatches(list: readonly Dispatch[], bindGroup: GPUBindGroup): Promise<number> {
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
  read.destroy();
  return Number(end - begin);
}

/** GPU microseconds of dispatches over scratch and KV of so many words, and a step state of these words. */
async function timeStep(
  list: readonly Dispatch[],
  [scratchWords, kvWords]: readonly [number, number],
  state: Uint32Array<ArrayBuffer>,
  weights: GPUBuffer | null = null,
): Promise<number> {
  const { device } = gpu;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const sizes = [256, scratchWords * 4, kvWords * 4, state.byteLength];
  const own = sizes.map((size) => device.createBuffer({ size: Math.max(256, size), usage }));
  const buffers = own.map((buffer, i) => (i === 0 && weights !== null ? weights : buffer));
  const [, , , stateBuffer] = buffers;
  if (stateBuffer) device.queue.writeBuffer(stateBuffer, 0, state);
  const group = device.createBindGroup({
    layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  await Promise.all(list.map(({ pipeline }) => pipeline.compiled));
  await warm(list, group);
  const times = [];
  for (let round = 0; round < 12; round++) times.push(await timeDispatches(list, group));
  for (const buffer of own) buffer.destroy();
  return Math.min(...times) / 1000;
}

export interface AttentionShape {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly kvBits: 4 | 8 | 16;
  /** Tokens in the cache. */
  readonly length: number;
  readonly numSplits: number;
  readonly numRows: number;
  /** Default: what the kernel chooses. */
  readonly threads?: number;
}

/** GPU microseconds a layer, over many layers behind one another. */
async function attention(shape: AttentionShape): Promise<number> {
  const { numHeads, numKvHeads, headDim, kvBits, length, numSplits, numRows } = shape;
  const blocks = Math.ceil(length / 32) * numRows;
  const numLayers = Math.max(8, Math.min(400, Math.floor(2e9 / (blocks * 32 * numKvHeads * headDim * 2))));
  const layout = kvLayout({ numLayers, numKvHeads, headDim, kvBits, blockTokens: 32, numBlocks: blocks });
  const state = stateLayout({
    ...{ maxSlots: numRows, maxChunkTokens: 32, maxBlocksPerSequence: Math.ceil(length / 32), vocabSize: 32 },
    ...{ contextLength: length, rotaryDim: headDim, numRopeTables: 1 },
  });
  const words = new Uint32Array(state.totalWords);
  for (let row = 0; row < numRows; row++) {
    words[state.rowsAt + row] = row;
    words[state.slotsAt + row * 16 + SLOT.position] = length - 1;
    for (let i = 0; i < state.tableStride; i++)
      words[state.tablesAt + row * state.tableStride + i] = row * state.tableStride + i;
  }
  const outAt = numRows * (numHeads + 2 * numKvHeads) * headDim;
  const partialsAt = outAt + numRows * numHeads * headDim;
  const floats = partialsAt + partialFloats({ numRows, numHeads, headDim, numSplits });
  const list = Array.from({ length: numLayers }, (_, layer) =>
    decodeAttention(
      gpu,
      state,
      layout,
      {
        ...{ numRows, numHeads, numSplits, qkvAt: 0, outAt, partialsAt, window: 0, softcap: 0 },
        rope: { table: 0, rotaryDim: headDim, interleaved: false },
        queryScale: 1,
        layerAt: layer * layout.layerWords,
      },
      {},
      shape.threads ?? attentionThreads(gpu),
    ),
  ).flat();
  return (await timeStep(list, [floats, numLayers * layout.layerWords], words)) / numLayers;
}

export interface PrefillShape {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly kvBits: 4 | 8 | 16;
  /** Tokens in the cache before the chunk. */
  readonly startPosition: number;
  readonly numRows: number;
  /** Default: what the kernel chooses. */
  readonly numSplits?: number;
  /** Default: 16. With many, none finds its keys and values in the cache. */
  readonly numLayers?: number;
}

/**
 * GPU microseconds a layer of a chunk's attention; `edits` are made to the matrix kernel first, to see what each part costs. With
 * several `programs` of the same text, layers take turns among them: none finds its code where the last one left it.
 */
async function prefill(shape: PrefillShape, edits: Edits = [], programs = 1): Promise<number> {
  const { numHeads, numKvHeads, headDim, kvBits, startPosition, numRows, numLayers = 16 } = shape;
  const length = startPosition + numRows;
  const blocks = Math.ceil(length / 32);
  const layout = kvLayout({ numLayers, numKvHeads, headDim, kvBits, blockTokens: 32, numBlocks: blocks });
  const state = stateLayout({
    ...{ maxSlots: 1, maxChunkTokens: numRows, maxBlocksPerSequence: blocks },
    ...{ contextLength: length, rotaryDim: headDim, numRopeTables: 1 },
  });
  const words = new Uint32Array(state.totalWords);
  for (let i = 0; i < blocks; i++) words[state.tablesAt + i] = i;
  const tokenIds = new Uint32Array(numRows);
  words.set(packChunk([{ slot: 0, startPosition, tokenIds, sample: false }]).parts, state.partsAt);
  const qStride = (numHeads + 2 * numKvHeads) * headDim;
  const outAt = numRows * qStride;
  const partialsAt = outAt + numRows * numHeads * headDim;
  const floats = partialsAt + PREFILL_PARTIALS * (headDim + 4);
  const edited = Array.from({ length: programs }, (_, i) =>
    withEdits(gpu, 'prefill_matrix', [...edits, ['HIDDEN = -3.0e38', `HIDDEN = -3.0${i}e38`]]),
  );
  const list = Array.from({ length: numLayers }, (_, layer) => {
    const parts = [{ numRows, startPosition }];
    const call = { parts, numRows, numHeads, outAt, partialsAt, qAt: 0, qStride, window: 0, softcap: 0 };
    return prefillAttention(edited[layer % programs] ?? gpu, state, layout, {
      ...call,
      numSplits: shape.numSplits ?? prefillSplits(gpu, layout, call),
      layerAt: layer * layout.layerWords,
    });
  }).flat();
  return (await timeStep(list, [floats, numLayers * layout.layerWords], words)) / numLayers;
}

/** Every cut of one shape, fastest first; those that this adapter cannot build are left out. */
async function tune(shape: LinearShape, tiles: readonly GemvTile[]) {
  const own = gemvTile(gpu, callOf(shape, 0));
  const all = [own, ...tiles];
  for (const tile of all) gemv(gpu, callOf(shape, 0), tile);
  await gpu.pipelines.ready();
  await warm(dispatchesOf(shape, own).list, bindGroup);
  const times: Timed[] = [];
  for (const tile of all) times.push(await time(shape, tile));
  return { own: times[0], best: times.slice(1).sort((a, b) => a.microseconds - b.microseconds) };
}

/** Microseconds and TFLOP/s of one linear over many rows of activations, by tile; of those kernels whose names begin like that. */
async function tuneRows(shape: LinearShape, only = '') {
  const copies = copiesOf(shape);
  const flops = 2 * shape.rows * shape.cols * shape.numRows;
  const count = Math.max(4, Math.ceil(2e12 / flops));
  const few = shape.numRows <= 64;
  const kernels: [string, (copy: number) => Dispatch[]][] = [];
  if (few || !gpu.matrices)
    kernels.push(
      ['tile kernel', (copy) => gemm(gpu, callOf(shape, copy))],
      [
        'four rows each',
        (copy) => {
          const parts = Math.ceil(shape.numRows / 4);
          const numRows = Math.min(4, shape.numRows);
          return Array.from({ length: parts }, () => gemv(gpu, callOf({ ...shape, numRows }, copy)));
        },
      ],
    );
  if (gpu.matrices)
    for (const [name, tile] of Object.entries(MATRIX_TILES))
      if (tile.bm <= 2 * Math.max(16, shape.numRows) && tile.bm >= Math.min(64, shape.numRows / 2))
        kernels.push([`matrices ${name}`, (copy) => gemmMatrix(gpu, callOf(shape, copy), 2 ** 23, tile)]);
  if (gpu.byteMatrices)
    for (const [name, tile] of Object.entries(INTEGER_TILES)) {
      const bm = tile.tm * tile.warps[0] * 16;
      if (bm <= 2 * Math.max(16, shape.numRows) && bm >= Math.min(64, shape.numRows / 2))
        for (const parts of shape.gate ? [1] : [1, 3, 6])
          kernels.push([
            `cut ${name} ${parts}`,
            (copy) => gemmInteger(gpu, callOf(shape, copy), PREPARED, { tile, parts }),
          ]);
    }
  if (gpu.byteMatrices) kernels.push(['bytes', (copy) => gemmInteger(gpu, callOf(shape, copy), PREPARED)]);
  const tiles = rowsTiles(gpu, callOf(shape, 0));
  if (tiles.length > 0)
    kernels.push(['staging alone', (copy) => [stageRows(gpu, callOf(shape, copy), 2 ** 23)]]);
  for (const [name, tile] of tiles)
    kernels.push([name, (copy) => gemvRows(gpu, callOf(shape, copy), 2 ** 23, tile)]);
  const results = [];
  for (const [name, dispatches] of kernels.filter(([name]) => name.startsWith(only))) {
    const list = Array.from({ length: Math.min(count, 200) }, (_, i) => dispatches(i % copies)).flat();
    await gpu.pipelines.ready();
    await warm(list, bindGroup);
    const each = list.length / Math.min(count, 200);
    const microseconds = ((await timeDispatches(list, bindGroup)) / 1000 / list.length) * each;
    results.push({ name, microseconds, teraflops: flops / microseconds / 1e6 });
  }
  return results;
}

/** Microseconds of one linear in integers on matrix units; `edits` are made to the kernel first. */
async function integer(shape: LinearShape, cut: IntegerCut, edits: Edits = []): Promise<number> {
  const edited = edits.length === 0 ? gpu : withEdits(gpu, 'gemm_integer', edits);
  return timeEach(callsOf(shape, 100).map((call) => gemmInteger(edited, call, PREPARED, cut)));
}

/** Microseconds of each of these. */
async function timeEach(each: readonly (readonly Dispatch[])[]): Promise<number> {
  const list = each.flat();
  await Promise.all(list.map(({ pipeline }) => pipeline.compiled));
  await warm(list, bindGroup);
  return (await timeDispatches(list, bindGroup)) / 1000 / each.length;
}

/** The same of many cuts, compiled side by side; null for what the adapter cannot build. */
async function integers(
  items: readonly (readonly [LinearShape, IntegerCut, Edits?])[],
): Promise<(number | null)[]> {
  const lists = items.map(([shape, cut, edits = []]) => {
    const edited = edits.length === 0 ? gpu : withEdits(gpu, 'gemm_integer', edits);
    return callsOf(shape, 24).flatMap((call) => gemmInteger(edited, call, PREPARED, cut));
  });
  const made = await Promise.all(
    lists.map((list) =>
      Promise.all(list.map(({ pipeline }) => pipeline.compiled)).then(
        () => true,
        () => false,
      ),
    ),
  );
  const times = lists.map(() => Number.POSITIVE_INFINITY);
  // A card that has been idle takes seconds to come to its full clock.
  const startMs = performance.now();
  for (let round = 0; round < 3 || performance.now() - startMs < WARM_MS; round++)
    for (const [i, list] of lists.entries())
      if (made[i]) times[i] = Math.min(times[i] ?? 0, (await timeDispatches(list, bindGroup)) / 24_000);
  return times.map((time) => (Number.isFinite(time) ? time : null));
}

/** Microseconds of one linear on matrix units for f16. */
async function matrix(shape: LinearShape, tile: MatrixTile): Promise<number> {
  return timeEach(callsOf(shape, 100).map((call) => gemmMatrix(gpu, call, 2 ** 23, tile)));
}

/** GPU microseconds a layer of decode_layers.wgsl, and the share of time that streaming its weights at 1 TB/s would take. */
async function layers(shape: LayersShape, edits: readonly (readonly [string, string])[] = []) {
  const edited = edits.length === 0 ? gpu : withEdits(gpu, 'decode_layers', edits);
  const { dispatch, scratchWords, kvWords, state, weightBytesPerLayer } = layersCase(
    edited,
    shape,
    WEIGHT_BYTES,
  );
  await edited.pipelines.ready();
  const list = new Array<Dispatch>(8).fill(dispatch);
  const microseconds =
    (await timeStep(list, [scratchWords, kvWords], state, weightBuffer)) / 8 / shape.numLayers;
  return { microseconds, terabytesPerSecond: weightBytesPerLayer / microseconds / 1e6 };
}

/**
 * GPU microseconds a layer of decode steps of several rows, in turn; edits and defines are those of decode_attention, the last defines
 * those of sum_integer_rows.
 */
async function batches(
  items: readonly (readonly [BatchShape, Edits?, Defines?, Defines?])[],
): Promise<number[]> {
  const { device } = gpu;
  const copy = withEdits(gpu, 'decode_attention', [['HIDDEN = -3.0e38', 'HIDDEN = -3.1e38']]);
  const cases = items.map(([shape, edits = [], defines = {}, sumDefines = {}]) => {
    const summing = withEdits(gpu, 'sum_integer_rows', [], sumDefines);
    return batchCase(summing, withEdits(gpu, 'decode_attention', edits, defines), copy, shape);
  });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const largest = (words: (item: (typeof cases)[number]) => number) => Math.max(...cases.map(words)) * 4;
  const sizes = [largest(({ scratchWords }) => scratchWords), largest(({ kvWords }) => kvWords)];
  const shared = sizes.map((size) => device.createBuffer({ size, usage }));
  const groups = cases.map(({ state }) => {
    const own = device.createBuffer({ size: state.byteLength, usage });
    device.queue.writeBuffer(own, 0, state);
    return device.createBindGroup({
      layout: gpu.pipelines.bindGroupLayout(STEP_BINDINGS),
      entries: [weightBuffer, ...shared, own].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
  });
  await Promise.all(cases.flatMap(({ list }) => list.map(({ pipeline }) => pipeline.compiled)));
  const times = cases.map(() => Number.POSITIVE_INFINITY);
  const startMs = performance.now();
  for (let round = 0; round < 4 || performance.now() - startMs < WARM_MS; round++)
    for (const [i, { list }] of cases.entries()) {
      const group = groups[i];
      if (group) times[i] = Math.min(times[i] ?? 0, await timeDispatches(list, group));
    }
  return times.map((time, i) => time / 1000 / (items[i]?.[0].numLayers ?? 1));
}

Object.assign(globalThis, {
  tabmindTune: { open, tune, layers, batches, attention, prefill, tuneRows, integer, integers, matrix },
});
