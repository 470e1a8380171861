import { describe, expect, it } from 'vitest';
import type { LinearSpec, VectorSpec, WeightSpec } from '../../src/models/weight-spec';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights } from '../../src/weights/weight-loader';
import { floatToHalf } from '../reference/half';
import { type FloatTensor, MemorySource, safetensorsFile } from '../reference/memory-source';
import { packedElement } from '../reference/packed';
import { CpuDevice } from '../reference/slab-memory';

function f32(shape: readonly number[], value: (index: number) => number): FloatTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return {
    dtype: 'F32',
    shape,
    bytes: new Uint8Array(Float32Array.from({ length: count }, (_, i) => value(i)).buffer),
  };
}

function bf16(shape: readonly number[], bits: readonly number[]): FloatTensor {
  return { dtype: 'BF16', shape, bytes: new Uint8Array(Uint16Array.from(bits).buffer) };
}

const linear = (parts: LinearSpec['parts'], rows: number, cols: number): LinearSpec => ({
  kind: 'linear',
  role: 'projection',
  name: 'w',
  parts,
  group: 'g',
  rows,
  cols,
});
const vector = (change: Partial<VectorSpec>): VectorSpec => ({
  kind: 'vector',
  name: 'v',
  parts: [{ module: 'a', leaf: 'weight' }],
  group: 'g',
  cols: 4,
  ...change,
});

/** Fills memory at 16 bits and gives a reader for each spec. */
async function fill(
  tensors: Readonly<Record<string, FloatTensor>>,
  specs: readonly WeightSpec[],
  maxBlockBytes = 2 ** 24,
) {
  const source = new MemorySource();
  source.files.set('model.safetensors', safetensorsFile(tensors));
  const texts = {
    config: '{}',
    generationConfig: null,
    tokenizer: null,
    tokenizerConfig: null,
    chatTemplate: null,
  };
  const identity = weightIdentity({ id: 'm', url: '' }, { weightBits: 16 });
  const { memory, layout, warnings } = await fillWeights(
    { source, texts, specs, identity, store: null, maxBlockBytes },
    new CpuDevice(),
  );
  const words = (name: string) => {
    const tensor = layout.tensors.find((one) => one.name === name);
    if (!tensor) throw new Error(`no ${name}`);
    return { tensor, words: new Uint32Array(memory.image.slice(tensor.imageOffset).buffer) };
  };
  return {
    warnings,
    element: (name: string, r: number, k: number) =>
      packedElement(words(name).tensor, words(name).words, r, k),
    floats: (name: string) => [
      ...new Float32Array(words(name).words.buffer).subarray(0, words(name).tensor.cols),
    ],
  };
}

describe('parts', () => {
  it('joins tensors along the rows, whatever their dtype', async () => {
    const { element, warnings } = await fill(
      {
        'a.weight': f32([2, 3], (i) => i),
        'b.weight': bf16([1, 3], [0x3f80, 0x4000, 0xc040]),
        'c.weight': {
          dtype: 'F16',
          shape: [1, 3],
          bytes: new Uint8Array(Uint16Array.from([5, 6, 7], floatToHalf).buffer),
        },
      },
      [
        linear(
          [
            { module: 'a', leaf: 'weight' },
            { module: 'b', leaf: 'weight' },
            { module: 'c', leaf: 'weight' },
          ],
          4,
          3,
        ),
      ],
    );
    const rows = [0, 1, 2, 3].map((r) => [0, 1, 2].map((k) => element('w', r, k)));
    expect(rows).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [1, 2, -3],
      [5, 6, 7],
    ]);
    expect(warnings).toEqual([]);
  });

  it('takes rows out of a fused tensor', async () => {
    const { element } = await fill({ 'qkv.weight': f32([6, 2], (i) => i) }, [
      linear(
        [
          { module: 'qkv', leaf: 'weight', rowStart: 4, rowCount: 2 },
          { module: 'qkv', leaf: 'weight', rowStart: 1, rowCount: 1 },
        ],
        3,
        2,
      ),
    ]);
    expect([0, 1, 2].map((r) => [element('w', r, 0), element('w', r, 1)])).toEqual([
      [8, 9],
      [10, 11],
      [2, 3],
    ]);
  });

  it('adds the offset of a vector', async () => {
    const { floats } = await fill({ 'a.weight': f32([4], (i) => i / 2) }, [vector({ offset: 1 })]);
    expect(floats('v')).toEqual([1, 1.5, 2, 2.5]);
  });

  it('puts zeros where an optional bias is missing', async () => {
    const parts = ['a', 'b', 'c'].map((module) => ({ module, leaf: 'bias' as const }));
    const tensors = {
      'a.weight': f32([1, 2], () => 1),
      'b.weight': f32([2, 2], () => 1),
      'c.weight': f32([1, 2], () => 1),
      'c.bias': f32([1], () => 9),
    };
    const specs = [
      vector({ parts, optional: true }),
      vector({ name: 'none', parts: parts.slice(0, 2), cols: 3, optional: true }),
    ];
    const { floats } = await fill(tensors, specs);
    expect(floats('v')).toEqual([0, 0, 0, 9]);
    expect(floats('none')).toEqual([0, 0, 0]);
    await expect(fill(tensors, [vector({ parts })])).rejects.toThrow('a.bias is missing');
  });

  it.each([
    [
      'too few rows',
      [linear([{ module: 'a', leaf: 'weight' }], 5, 2)],
      'gets 4 rows; config.json asks for 5',
    ],
    [
      'other columns',
      [linear([{ module: 'a', leaf: 'weight' }], 4, 3)],
      'shape [4, 2]; config.json asks for [4, 3]',
    ],
    [
      'rows beyond the end',
      [linear([{ module: 'a', leaf: 'weight', rowStart: 3, rowCount: 2 }], 2, 2)],
      'shape [4, 2]',
    ],
    ['a matrix for a vector', [vector({})], 'shape [4, 2]; config.json asks for [4]'],
  ])('refuses %s', async (_, specs, message) => {
    await expect(fill({ 'a.weight': f32([4, 2], () => 0) }, specs)).rejects.toThrow(message);
  });

  it.each([1, 100, 128, 1000, 10 ** 6])('gives the same in blocks of %i bytes', async (maxBlockBytes) => {
    const tensors = { 'a.weight': f32([50, 10], (i) => i), 'b.weight': f32([200], (i) => i) };
    const specs = [
      linear([{ module: 'a', leaf: 'weight', rowStart: 1, rowCount: 49 }], 49, 10),
      vector({ parts: [{ module: 'b', leaf: 'weight' }], cols: 200 }),
    ];
    const { element, floats } = await fill(tensors, specs, maxBlockBytes);
    for (let r = 0; r < 49; r++)
      for (let k = 0; k < 10; k++) expect(element('w', r, k)).toBe(10 * (r + 1) + k);
    expect(floats('v')).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});
