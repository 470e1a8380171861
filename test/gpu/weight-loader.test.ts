import { readBuffer } from '../../src/gpu/buffer';
import type { WeightSpec } from '../../src/models/weight-spec';
import type { PlacedTensors } from '../../src/weights/packed-tensor';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights, loadWeights } from '../../src/weights/weight-loader';
import { WeightStore } from '../../src/weights/weight-store';
import { type FloatTensor, MemorySource, safetensorsFile } from '../reference/memory-source';
import type { Random } from '../reference/random';
import { CpuDevice } from '../reference/slab-memory';
import { assertEqual, gpuTest } from './harness';

const SPECS: readonly WeightSpec[] = [
  {
    kind: 'linear',
    role: 'head',
    name: 'embed',
    parts: [{ module: 'embed', leaf: 'weight' }],
    group: 'head',
    rows: 300,
    cols: 96,
  },
  { kind: 'vector', name: 'norm', parts: [{ module: 'norm', leaf: 'weight' }], group: 'layer', cols: 96 },
  {
    kind: 'linear',
    role: 'projection',
    name: 'qkv',
    parts: ['q', 'k', 'v'].map((module) => ({ module, leaf: 'weight' })),
    group: 'layer',
    rows: 160,
    cols: 96,
  },
];
const TEXTS = {
  config: '{}',
  generationConfig: null,
  tokenizer: null,
  tokenizerConfig: null,
  chatTemplate: null,
};

for (const weightBits of [4, 8, 16] as const)
  gpuTest(
    `weight loader at ${weightBits} bits: conversion, cache, image of the CPU twin`,
    async ({ gpu, random }) => {
      const source = new MemorySource();
      const bf16 = (...shape: number[]) => randomBf16(random, shape);
      source.files.set(
        'model.safetensors',
        safetensorsFile({
          'embed.weight': bf16(300, 96),
          'norm.weight': bf16(96),
          'q.weight': bf16(96, 96),
          'k.weight': bf16(32, 96),
          'v.weight': bf16(32, 96),
        }),
      );
      const database = `weights of a test ${crypto.randomUUID()}`;
      const store = new WeightStore(database);
      const identity = weightIdentity({ id: 'test', url: '' }, { weightBits });
      const request = { source, texts: TEXTS, specs: SPECS, identity, store, chunkBytes: 4096 };
      const twin = await fillWeights({ ...request, store: null }, new CpuDevice());
      for (const fromCache of [false, true]) {
        const readsBefore = source.numReads;
        let told: readonly unknown[] = [];
        let readsWhenTold = 0;
        const onPlaced = (placed: PlacedTensors) => {
          told = [...placed];
          readsWhenTold = source.numReads;
        };
        const loaded = await loadWeights({ ...request, gpu, onPlaced });
        assertEqual(told, [...loaded.placed], 'places that are told of');
        if (!fromCache) assertEqual(source.numReads > readsWhenTold, true, 'reads after that');
        assertEqual(loaded.fromCache, fromCache, 'fromCache');
        if (fromCache) assertEqual(source.numReads, readsBefore, 'reads on the second visit');
        for (const tensor of twin.layout.tensors) {
          const placed = loaded.placed.get(tensor.name);
          const slab = placed && loaded.slabs[placed.slab];
          if (!placed || !slab) throw new Error(`${tensor.name} was not placed`);
          const actual = new Uint8Array(
            await readBuffer(gpu.device, slab, placed.byteOffset, placed.totalBytes),
          );
          const expected = twin.memory.image.subarray(
            tensor.imageOffset,
            tensor.imageOffset + tensor.totalBytes,
          );
          const wrong = actual.findIndex((byte, i) => byte !== expected[i]);
          assertEqual(wrong, -1, `first wrong byte of ${tensor.name}, fromCache ${fromCache}`);
        }
        for (const slab of loaded.slabs) slab.destroy();
      }
      for (const { key } of await store.list()) await store.delete(key);
    },
  );

gpuTest('weight loader: names the tensor with a NaN', async ({ gpu, random }) => {
  const source = new MemorySource();
  const [good, bad] = [randomBf16(random, [96, 96]), randomBf16(random, [32, 96])];
  bad.bytes.set([0xc0, 0x7f], 2 * random.below(32 * 96));
  source.files.set(
    'model.safetensors',
    safetensorsFile({ 'q.weight': good, 'k.weight': bad, 'v.weight': randomBf16(random, [32, 96]) }),
  );
  const identity = weightIdentity({ id: 'test', url: '' }, {});
  const specs = SPECS.filter((spec) => spec.name === 'qkv');
  const message = await loadWeights({ gpu, source, texts: TEXTS, specs, identity, store: null }).then(
    () => 'loaded',
    (thrown: unknown) => String(thrown),
  );
  assertEqual(message, 'TabmindError: model.safetensors: tensor k.weight holds a NaN or an infinity.');
});

function randomBf16(random: Random, shape: readonly number[]): FloatTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const floats = new Uint32Array(random.normals(count, 0.05).buffer);
  return {
    dtype: 'BF16',
    shape,
    bytes: new Uint8Array(Uint16Array.from(floats, (bits) => bits >>> 16).buffer),
  };
}
