import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { readSafetensors } from '../../src/weights/safetensors';
import { openTensorDirectory } from '../../src/weights/tensor-directory';
import { FolderSource } from '../reference/folder-source';

interface Described {
  readonly dtype: string;
  readonly shape: unknown;
  readonly data_offsets: readonly number[];
}

function file(header: unknown, dataBytes: number): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function read(bytes: Uint8Array<ArrayBuffer>) {
  const source = new FolderSource('models/llama');
  source.overrides.set('x.safetensors', bytes);
  return readSafetensors(source, 'x.safetensors', bytes.length);
}

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]): Described => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

describe('readSafetensors', () => {
  it('gives absolute offsets, whatever the header is padded to', async () => {
    const header = `${JSON.stringify({ __metadata__: { format: 'pt' }, b: f32(8, 24, [2, 2]), a: f32(0, 8) })}   `;
    const { tensors } = await read(file(header, 24));
    const start = 8 + header.length;
    expect(tensors).toEqual([
      { name: 'b', file: 'x.safetensors', dtype: 'F32', shape: [2, 2], begin: start + 8, end: start + 24 },
      { name: 'a', file: 'x.safetensors', dtype: 'F32', shape: [2], begin: start, end: start + 8 },
    ]);
  });

  it('reads a header that is longer than the first read', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`tensor.${i}`, f32(4 * i, 4 * i + 4)]),
    );
    const bytes = file(many, 12000);
    expect(bytes.length).toBeGreaterThan(128 * 1024);
    const { tensors } = await read(bytes);
    expect(tensors.length).toBe(3000);
    expect(tensors[2999]?.end).toBe(bytes.length);
  });

  it('lets scalars and empty tensors be', async () => {
    const { tensors } = await read(file({ scalar: f32(0, 4, []), empty: f32(4, 4, [0, 7]) }, 4));
    expect(tensors.map((tensor) => tensor.end - tensor.begin)).toEqual([4, 0]);
  });

  it('hashes the data that comes with the header', async () => {
    const [one, other] = [file({ a: f32(0, 8) }, 8), file({ a: f32(0, 8) }, 8)];
    other[other.length - 1] = 1;
    expect((await read(one)).headHash).not.toBe((await read(other)).headHash);
  });

  it.each([
    ['a hole', { a: f32(0, 4), b: f32(8, 12) }, 12],
    ['an overlap', { a: f32(0, 8), b: f32(4, 12) }, 12],
    ['bytes behind', { a: f32(0, 4) }, 8],
    ['the same bytes twice', { a: f32(0, 4), b: f32(0, 4) }, 4],
    ['too few bytes for the shape', { a: f32(0, 4, [2]) }, 4],
    ['a product beyond 2^53', { a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4],
    ['a fraction', { a: f32(0, 4, [1.5]) }, 4],
    ['three offsets', { a: { ...f32(0, 4), data_offsets: [0, 2, 4] } }, 4],
    ['a list instead of an entry', { a: null }, 0],
    ['a dtype of the prototype', { a: { ...f32(0, 4), dtype: 'constructor' } }, 4],
  ])('refuses %s', async (_, header, dataBytes) => {
    const thrown = await read(file(header, dataBytes)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(TabmindError);
    expect(thrown).toMatchObject({
      code: 'bad-checkpoint',
      message: expect.stringContaining('x.safetensors'),
    });
  });

  it('survives any cut', async () => {
    const whole = file({ a: f32(0, 4), b: f32(4, 16, [3, 1]) }, 16);
    for (let length = 0; length < whole.length; length++)
      await expect(read(whole.slice(0, length))).rejects.toBeInstanceOf(TabmindError);
    expect((await read(whole)).tensors.length).toBe(2);
  });
});

describe('openTensorDirectory', () => {
  const shard = (name: string) => file({ [name]: f32(0, 4) }, 4);

  /** A folder that can be listed: its safetensors hold a, b … in order, or all of them `same`. */
  function listed(names: readonly string[], same?: string) {
    const source = Object.assign(new FolderSource('none'), { list: async () => names });
    const index = { weight_map: { b: 'y-1.safetensors' } };
    for (const [i, name] of names.entries()) {
      const content = name.endsWith('.json') ? JSON.stringify(index) : shard(same ?? 'abc'.charAt(i));
      source.overrides.set(name, content);
    }
    return source;
  }

  it('joins shards', async () => {
    const source = new FolderSource('none');
    const index = { weight_map: { a: 'm-1.safetensors', b: 'm-2.safetensors' } };
    source.overrides.set('model.safetensors.index.json', JSON.stringify(index));
    source.overrides.set('m-1.safetensors', shard('a'));
    source.overrides.set('m-2.safetensors', shard('b'));
    const { tensors, files } = await openTensorDirectory(source, {});
    expect([...tensors.values()].map(({ name, file: where }) => [name, where])).toEqual([
      ['a', 'm-1.safetensors'],
      ['b', 'm-2.safetensors'],
    ]);
    expect(files.length).toBe(2);
  });

  it('finds the file name of AutoGPTQ', async () => {
    const source = new FolderSource('none');
    source.overrides.set('gptq_model-4bit-64g.safetensors', shard('a'));
    const config = { quantization_config: { bits: 4, group_size: 64 } };
    expect([...(await openTensorDirectory(source, config)).tensors.keys()]).toEqual(['a']);
    await expect(openTensorDirectory(source, {})).rejects.toMatchObject({ code: 'not-found' });
    const settings = { bits: 4, group_size: 64, model_file_base_name: 'mine' };
    source.overrides.set('quantize_config.json', JSON.stringify(settings));
    expect([...(await openTensorDirectory(source, {})).tensors.keys()]).toEqual(['a']);
    source.overrides.set('mine.safetensors', shard('b'));
    expect([...(await openTensorDirectory(source, {})).tensors.keys()]).toEqual(['b']);
  });

  it.each([
    [['x.safetensors.index.json', 'y-1.safetensors', 'adapter_model.safetensors'], ['b']],
    [
      ['w-00001-of-00002.safetensors', 'w-00002-of-00002.safetensors', 'consolidated.safetensors'],
      ['a', 'b'],
    ],
    [['weights.safetensors', 'adapter_model.safetensors'], ['a']],
  ])('takes what a listing of %j offers', async (names, expected) => {
    const { tensors } = await openTensorDirectory(listed(names), {});
    expect([...tensors.keys()]).toEqual(expected);
  });

  it.each([
    [['w-00001-of-00003.safetensors', 'w-00002-of-00003.safetensors'], 'only 2 are there'],
    [['adapter_model.safetensors'], 'has neither'],
    [['model-Q4_K_M.gguf'], 'only as model-Q4_K_M.gguf'],
    [['consolidated.00.pth'], 'only as consolidated.00.pth'],
    [['model.onnx'], 'only as model.onnx'],
  ])('says what is wrong with a listing of %j', async (names, words) => {
    await expect(openTensorDirectory(listed(names), {})).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(words),
    });
  });

  it('does not choose between two shards that hold the same tensor', async () => {
    const source = listed(['w-00001-of-00002.safetensors', 'w-00002-of-00002.safetensors'], 'a');
    await expect(openTensorDirectory(source, {})).rejects.toThrow(
      'tensor a is in w-00001-of-00002.safetensors',
    );
  });

  it.each([
    '../up.safetensors',
    '/etc/x.safetensors',
    'https://e.invalid/x.safetensors',
    'a/b.safetensors',
    'x.bin',
    5,
  ])('does not follow an index to %s', async (target) => {
    const source = new FolderSource('none');
    source.overrides.set('model.safetensors.index.json', JSON.stringify({ weight_map: { a: target } }));
    await expect(openTensorDirectory(source, {})).rejects.toMatchObject({ code: 'bad-checkpoint' });
    expect(source.requests).toEqual(['model.safetensors', 'model.safetensors.index.json']);
  });
});
