import { describe, expect, it } from 'vitest';
import type { TensorPart } from '../../src/models/weight-spec';
import { quantSettings } from '../../src/weights/formats/checkpoint-format';
import { orderName } from '../../src/weights/packed-tensor';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights } from '../../src/weights/weight-loader';
import { floatToHalf, roundToHalf } from '../reference/half';
import { MemorySource, type StoredTensor, safetensorsFile } from '../reference/memory-source';
import { packedElement } from '../reference/packed';
import {
  codesElement,
  index32,
  packAwqFast,
  packAwqGemm,
  packAwqGemv,
  packCompressed,
  packGptq,
  type QuantCodes,
  randomCodes,
} from '../reference/quant-packer';
import { Random } from '../reference/random';
import { CpuDevice } from '../reference/slab-memory';

type Tensors = Readonly<Record<string, StoredTensor>>;
type Part = Omit<TensorPart, 'leaf'>;

const GPTQ = { quant_method: 'gptq', bits: 4, group_size: 32, sym: false, checkpoint_format: 'gptq_v2' };
const AWQ = { quant_method: 'awq', bits: 4, group_size: 32, zero_point: true };
const COMPRESSED = {
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  config_groups: {
    group_0: { weights: { num_bits: 4, type: 'int', symmetric: false, strategy: 'group', group_size: 32 } },
  },
};

/** One linear 'w' of the parts, as the loader packs it. */
async function pack(
  tensors: Tensors,
  parts: readonly Part[],
  { rows, cols }: Pick<QuantCodes, 'rows' | 'cols'>,
  settings: object | null,
  files: Readonly<Record<string, string>> = {},
) {
  const source = new MemorySource();
  source.files.set('model.safetensors', safetensorsFile(tensors));
  for (const [name, text] of Object.entries(files)) source.files.set(name, new TextEncoder().encode(text));
  const texts = {
    config: JSON.stringify(settings ? { quantization_config: settings } : {}),
    generationConfig: null,
    tokenizer: null,
    tokenizerConfig: null,
    chatTemplate: null,
  };
  const spec = {
    kind: 'linear',
    role: 'projection',
    name: 'w',
    parts: parts.map((part) => ({ ...part, leaf: 'weight' }) as const),
    group: 'w',
    rows,
    cols,
  } as const;
  const identity = weightIdentity({ id: 'm', url: '' }, { weightBits: 16 });
  const request = { source, texts, specs: [spec], identity, store: null, maxBlockBytes: 300 };
  const { layout, memory, warnings } = await fillWeights(request, new CpuDevice());
  const tensor = layout.tensors.find((one) => one.name === 'w');
  const order = layout.tensors.find((one) => one.name === orderName('w'));
  if (!tensor) throw new Error('no w');
  const words = (at: number) => new Uint32Array(memory.image.slice(at).buffer);
  const [codes, perm] = [words(tensor.imageOffset), order ? words(order.imageOffset) : null];
  return {
    tensor,
    codes,
    perm: perm && [...perm.subarray(0, cols)],
    warnings,
    /** Columns as in the checkpoint. */
    at: (n: number, k: number) =>
      packedElement(tensor, codes, n, perm ? perm.subarray(0, cols).indexOf(k) : k),
  };
}

type Packed = Awaited<ReturnType<typeof pack>>;

function expectRows(packed: Packed, q: QuantCodes, start = 0, destRow = 0, count = q.rows): void {
  const round = packed.tensor.format === 'w16' ? roundToHalf : (value: number) => value;
  for (let n = 0; n < count; n++)
    for (let k = 0; k < q.cols; k++) {
      const [actual, expected] = [packed.at(destRow + n, k), round(codesElement(q, start + n, k))];
      if (actual !== expected && !(actual === 0 && expected === 0))
        throw new Error(`[${n}, ${k}] is ${actual}, not ${expected}`);
    }
}

const whole = [{ module: 'm' }];

function firstWord(tensor: StoredTensor | undefined): number | undefined {
  return tensor && new DataView(tensor.bytes.buffer).getUint32(0, true);
}

describe('layouts', () => {
  const cases: readonly [string, (module: string, q: QuantCodes) => Tensors, object, readonly number[]][] = [
    ['AWQ GEMM', packAwqGemm, AWQ, [32, 96, 40]],
    ['AWQ GEMV', packAwqGemv, { ...AWQ, version: 'gemv' }, [64, 320, 40]],
    ['AWQ GEMV_fast', packAwqFast, { ...AWQ, version: 'gemv_fast' }, [64, 320]],
    ['GPTQ v1', (m, q) => packGptq(m, q, 'v1'), { ...GPTQ, checkpoint_format: 'gptq' }, [32, 96, 40]],
    ['GPTQ v2', (m, q) => packGptq(m, q, 'v2', true), GPTQ, [32, 96, 40]],
    ['compressed-tensors', packCompressed, COMPRESSED, [32, 96, 40, 45]],
  ];
  for (const [name, packer, settings, sizes] of cases)
    it.each(sizes)(`${name} with %i columns in groups of 32, rows taken in slices`, async (cols) => {
      const q = randomCodes(new Random(cols), 48, cols, 32);
      // the last group of AWQ GEMM is never short
      if (name === 'AWQ GEMM' && cols % 32 !== 0) return;
      expectRows(await pack(packer('m', q), whole, q, settings), q);
      const parts = [
        { module: 'm', rowStart: 16, rowCount: 31 },
        { module: 'm', rowStart: 3, rowCount: 5 },
      ];
      const sliced = await pack(packer('m', q), parts, { rows: 36, cols }, settings);
      expect(sliced.tensor).toMatchObject({ format: 'w4', groupSize: cols > 32 ? 32 : 32 });
      expectRows(sliced, q, 16, 0, 31);
      expectRows(sliced, q, 3, 31, 5);
      expect(sliced.warnings).toEqual([]);
    });

  it.each([64, 128])('AWQ GEMV and GEMV_fast pad their groups of %i', async (groupSize) => {
    for (const packer of [packAwqGemv, packAwqFast]) {
      const q = randomCodes(new Random(groupSize), 8, 1152, groupSize);
      const packed = await pack(packer('m', q), whole, q, { ...AWQ, group_size: groupSize });
      expect(packed.tensor).toMatchObject({ format: 'w4', groupSize });
      expectRows(packed, q);
    }
  });

  it('unpacks the golden words', async () => {
    const count = { ...randomCodes(new Random(1), 8, 32, 32), codes: new Uint8Array(8 * 32) };
    for (let n = 0; n < 8; n++) for (let k = 0; k < 32; k++) count.codes[n * 32 + k] = n;
    const awq = packAwqGemm('m', count);
    expect(firstWord(awq['m.qweight'])).toBe(0x75316420);
    expectRows(await pack(awq, whole, count, AWQ), count);
    for (let n = 0; n < 8; n++) for (let k = 0; k < 32; k++) count.codes[n * 32 + k] = k % 8;
    const gptq = packGptq('m', count, 'v1');
    expect(firstWord(gptq['m.qweight'])).toBe(0x76543210);
    const packed = await pack(gptq, whole, count, { ...GPTQ, checkpoint_format: 'gptq' });
    expect(packed.codes[0]).toBe(0x76543210);
  });
});

describe('zero points', () => {
  const q = (zero: number) => ({
    ...randomCodes(new Random(7), 16, 64, 32),
    zeros: new Uint8Array(32).fill(zero),
  });
  const load = (tensors: Tensors, settings: object) => pack(tensors, whole, { rows: 16, cols: 64 }, settings);
  const stored = (tensors: Tensors, word: number) => ({
    ...tensors,
    'm.qzeros': { dtype: 'I32', shape: [2, 2], bytes: new Uint8Array(new Uint32Array(4).fill(word).buffer) },
  });

  it('are 8 in a symmetric GPTQ file, whatever it holds, or without them', async () => {
    for (const zeros of [0x77777777, 0x88888888, 0])
      for (const checkpoint_format of ['gptq', 'gptq_v2']) {
        const settings = { ...GPTQ, sym: true, checkpoint_format };
        expectRows(await load(stored(packGptq('m', q(8), 'v1'), zeros), settings), q(8));
      }
    const { 'm.qzeros': _, ...without } = packGptq('m', q(8), 'v1');
    expectRows(await load(without, { ...GPTQ, sym: true }), q(8));
    await expect(load(without, GPTQ)).rejects.toThrow('m.qzeros is missing');
  });

  it('are taken as they are from a file labelled v1 that holds 8 in every place', async () => {
    const { sym: _, ...unsaid } = { ...GPTQ, checkpoint_format: 'gptq' };
    expectRows(await load(stored(packGptq('m', q(8), 'v1'), 0x88888888), unsaid), q(8));
    expectRows(await load(stored(packGptq('m', q(8), 'v1'), 0x77777777), unsaid), q(8));
  });

  it('borrow in v1; a writer that is not known to borrow is a warning', async () => {
    const mixed = q(3);
    for (let i = 0; i < 32; i += 3) mixed.zeros[i] = 0;
    const v1 = { ...GPTQ, checkpoint_format: 'gptq' };
    const unknown = await load(packGptq('m', mixed, 'v1'), v1);
    expectRows(unknown, mixed);
    expect(unknown.warnings).toEqual([expect.stringContaining('zero points of 0')]);
    const known = await load(packGptq('m', mixed, 'v1'), { ...v1, meta: { quantizer: ['gptqmodel:2.0'] } });
    expectRows(known, mixed);
    expect(known.warnings).toEqual([]);
  });

  it('may be overridden for a module', async () => {
    const settings = { ...GPTQ, dynamic: { '-:other': {}, '+:m$': { sym: true } } };
    expectRows(await load(stored(packGptq('m', q(8), 'v2'), 0x33333333), settings), q(8));
    const autoRound = { quant_method: 'auto-round', bits: 4, group_size: 32, sym: false };
    const extra = { ...autoRound, extra_config: { m: { bits: 4, sym: true } } };
    expectRows(await load(stored(packGptq('m', q(8), 'v2'), 0x33333333), extra), q(8));
  });

  it('must be whole in GEMV_fast', async () => {
    const tensors = packAwqFast('m', q(5));
    const zeros = tensors['m.qzeros']?.bytes ?? new Uint8Array();
    new DataView(zeros.buffer).setUint16(6, floatToHalf(0.01234), true);
    await expect(load(tensors, AWQ)).rejects.toThrow('m.qzeros holds 0.0123');
  });
});

describe('scales', () => {
  const q = randomCodes(new Random(3), 16, 64, 32);
  /** The scales as floats of a dtype, the first of them `first`. */
  const withScales = (dtype: 'BF16' | 'F32', first: number) => {
    const values = new Float32Array(32).fill(0.0078125);
    values[0] = first;
    const bits = new Uint32Array(values.buffer);
    const bytes =
      dtype === 'F32'
        ? new Uint8Array(values.buffer)
        : new Uint8Array(Uint16Array.from(bits, (b) => b >>> 16).buffer);
    return { ...packCompressed('m', q), 'm.weight_scale': { dtype, shape: [16, 2], bytes } };
  };
  const load = (dtype: 'BF16' | 'F32', first: number) => pack(withScales(dtype, first), whole, q, COMPRESSED);
  const scale = (packed: Packed) => (packed.codes[packed.tensor.codesBytes / 4] ?? 0) & 0xffff;

  it.each([
    ['BF16', 0.01171875],
    ['BF16', -0.5],
    ['BF16', 2 ** -17 * 1.9921875],
    ['F32', 2 ** -24 * 7],
    ['F32', 0],
  ] as const)('%s %f is exact in half', async (dtype, first) => {
    const packed = await load(dtype, first);
    expect(scale(packed)).toBe(floatToHalf(first));
    expect(packed.warnings).toEqual([]);
  });

  it.each([
    ['BF16', 2 ** -18 * 1.9921875],
    ['F32', 0.1],
  ] as const)('%s %f is rounded, with a warning', async (dtype, first) => {
    const packed = await load(dtype, first);
    expect(scale(packed)).toBe(floatToHalf(first));
    expect(packed.warnings).toEqual([expect.stringMatching(/rounded to 16-bit floats \(m.weight_scale\)/)]);
  });

  it.each([
    ['F32', 1e5, 'too large'],
    ['BF16', 1e-9, 'too small'],
    ['F32', Number.NaN, 'NaN or an infinity'],
    ['BF16', Number.POSITIVE_INFINITY, 'NaN or an infinity'],
  ] as const)('%s %f is refused', async (dtype, first, words) => {
    await expect(load(dtype, first)).rejects.toMatchObject({
      code: 'bad-checkpoint',
      message: expect.stringMatching(new RegExp(`model.safetensors: tensor m.weight_scale holds.*${words}`)),
    });
  });
});

describe('one linear of several parts', () => {
  const random = new Random(9);
  const parts = [{ module: 'a' }, { module: 'b' }];
  const both = { rows: 32, cols: 128 };

  it('meets in the common group size, without loss', async () => {
    for (const [one, other, common] of [
      [32, 128, 32],
      [64, 96, 32],
      [64, 128, 64],
      [128, 128, 128],
    ] as const) {
      const [a, b] = [randomCodes(random, 16, 128, one), randomCodes(random, 16, 128, other)];
      const tensors = { ...packGptq('a', a, 'v2'), ...packCompressed('b', b) };
      const dynamic = { a: { group_size: one }, b: { group_size: other } };
      const packed = await pack(tensors, parts, both, { ...GPTQ, dynamic });
      expect(packed.tensor).toMatchObject({ format: 'w4', groupSize: common });
      expectRows(packed, a);
      expectRows(packed, b, 0, 16);
    }
  });

  it('is 16 bits wide beside a part in float', async () => {
    const a = randomCodes(random, 16, 128, 32);
    const values = random.normals(16 * 128, 0.05);
    const float: StoredTensor = { dtype: 'F32', shape: [16, 128], bytes: new Uint8Array(values.buffer) };
    const packed = await pack({ ...packGptq('a', a, 'v2'), 'b.weight': float }, parts, both, GPTQ);
    expect(packed.tensor.format).toBe('w16');
    expectRows(packed, a);
    for (const k of [0, 77, 127]) expect(packed.at(19, k)).toBe(roundToHalf(values[3 * 128 + k] ?? 0));
  });
});

describe('group order', () => {
  const random = new Random(11);
  /** Every group in as many columns as it has, in any order. */
  const shuffled = (q: QuantCodes, seed: number): QuantCodes => {
    const keys = Array.from({ length: q.cols }, () => new Random(seed).uniform());
    const source = new Random(seed);
    for (const k of keys.keys()) keys[k] = source.uniform();
    const order = [...keys.keys()].sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
    return { ...q, groups: order.map((k) => q.groups[k] ?? 0) };
  };
  const parts = [{ module: 'a' }, { module: 'b' }];
  const codes = () => randomCodes(random, 16, 128, 32);

  it.each([128, 80])('sorts %i columns by group and keeps the order', async (cols) => {
    const q = shuffled(randomCodes(random, 16, cols, 32), 5);
    for (const [tensors, settings] of [
      [packGptq('m', q, 'v2', true), GPTQ],
      [packCompressed('m', q, q.groups), COMPRESSED],
    ] as const) {
      const packed = await pack(tensors, whole, q, settings);
      expect(packed.tensor).toMatchObject({ format: 'w4', groupSize: 32 });
      expect([...(packed.perm ?? [])].sort((a, b) => a - b)).toEqual([...q.groups.keys()]);
      expectRows(packed, q);
    }
  });

  it('shares one order, and makes the linear 16 bits wide where there are two', async () => {
    const [a, b] = [shuffled(codes(), 1), shuffled(codes(), 1)];
    const shared = await pack(
      { ...packGptq('a', a, 'v2', true), ...packGptq('b', b, 'v2', true) },
      parts,
      { rows: 32, cols: 128 },
      GPTQ,
    );
    expect(shared.tensor.format).toBe('w4');
    expectRows(shared, a);
    expectRows(shared, b, 0, 16);
    for (const other of [shuffled(codes(), 2), codes()]) {
      const tensors = { ...packGptq('a', a, 'v2', true), ...packGptq('b', other, 'v2', true) };
      const apart = await pack(tensors, parts, { rows: 32, cols: 128 }, GPTQ);
      expect([apart.tensor.format, apart.perm]).toEqual(['w16', null]);
      expectRows(apart, a);
      expectRows(apart, other, 0, 16);
    }
  });

  it('is 16 bits wide where groups are of odd sizes', async () => {
    const q = { ...codes(), groups: Array.from({ length: 128 }, (_, k) => (k < 40 ? 3 : k % 3)) };
    const packed = await pack(packGptq('m', q, 'v2', true), whole, q, GPTQ);
    expect([packed.tensor.format, packed.perm]).toEqual(['w16', null]);
    expectRows(packed, q);
  });

  it.each([0, -1])('is left unset by %i in every place', async (unset) => {
    const q = codes();
    const index = index32(new Array<number>(128).fill(unset));
    const tensors =
      unset === 0
        ? { ...packGptq('m', q, 'v2'), 'm.g_idx': index }
        : { ...packCompressed('m', q), 'm.weight_g_idx': index };
    const packed = await pack(tensors, whole, q, unset === 0 ? GPTQ : COMPRESSED);
    expect(packed.perm).toBeNull();
    expectRows(packed, q);
  });
});

describe('settings', () => {
  const q = randomCodes(new Random(2), 16, 64, 32);
  const compressedWith = (change: object, group: object = {}, weights: object = {}) => {
    const { group_0 } = COMPRESSED.config_groups;
    const changed = { ...group_0, ...group, weights: { ...group_0.weights, ...weights } };
    return { ...COMPRESSED, config_groups: { group_0: changed }, ...change };
  };

  it.each([
    [{ quant_method: 'hqq' }, 'quant_method is "hqq"'],
    [{ bits: 4 }, 'quant_method is null'],
    [{ ...GPTQ, bits: 8 }, 'bits is 8'],
    [{ ...GPTQ, checkpoint_format: 'marlin' }, 'checkpoint_format is "marlin"'],
    [{ ...GPTQ, is_marlin_format: true }, 'is_marlin_format is true'],
    [{ ...GPTQ, dynamic: { '+:(': {} } }, 'dynamic is "+:("'],
    [{ ...GPTQ, dynamic: { '+:m': { bits: 8 } } }, 'bits is 8'],
    [{ ...GPTQ, checkpoint_format: 'gptq_p' }, 'checkpoint_format is "gptq_p"'],
    [{ ...GPTQ, checkpoint_format: null, format: 'bitblas' }, 'format is "bitblas"'],
    [{ ...GPTQ, pack_dtype: 'int16' }, 'pack_dtype is "int16"'],
    [{ ...GPTQ, sym: 'yes' }, 'sym is "yes"'],
    [{ ...AWQ, group_size: -2 }, 'group_size is -2'],
    [{ quant_method: 'auto-round', bits: 4, data_type: 'nv_fp' }, 'data_type is "nv_fp"'],
    [{ quant_method: 'auto-round', bits: 4, extra_config: { m: { bits: 2 } } }, 'bits is 2'],
    [compressedWith({}, {}, { dynamic: true }), 'weights.dynamic is true'],
    [compressedWith({}, { output_activations: { num_bits: 8 } }), 'output_activations is'],
    [compressedWith({}, { format: 'nvfp4-pack-quantized' }), 'group_0.format is "nvfp4-pack-quantized"'],
    [compressedWith({ config_groups: {} }), 'config_groups is {}'],
    [{ ...AWQ, bits: null, w_bit: 3 }, 'w_bit is 3'],
    [{ ...AWQ, version: 'marlin' }, 'version is "marlin"'],
    [
      { quant_method: 'auto-round', bits: 4, packing_format: 'auto_round:fp8' },
      'packing_format is "auto_round:fp8"',
    ],
    [compressedWith({ format: 'marlin-24' }), 'format is "marlin-24"'],
    [compressedWith({ transform_config: { a: 1 } }), 'transform_config is'],
    [compressedWith({ sparsity_config: { format: 'sparse-24-bitmask' } }), 'sparsity_config.format'],
    [compressedWith({}, {}, { num_bits: 8 }), 'config_groups.group_0.weights.num_bits is 8'],
    [compressedWith({}, {}, { type: 'float' }), 'weights.type is "float"'],
    [compressedWith({}, {}, { strategy: 'block' }), 'weights.strategy is "block"'],
    [compressedWith({}, { input_activations: { num_bits: 8 } }), 'input_activations is {"num_bits":8}'],
  ])('%j is refused', async (settings, words) => {
    await expect(pack(packGptq('m', q, 'v2'), whole, q, settings)).rejects.toMatchObject({
      code: 'unsupported-model',
      message: expect.stringContaining(words),
    });
  });

  it.each(['fp8', 'mxfp4', 'bitsandbytes', 'exl2', 'quark', 'torchao', 'marlin', 'gguf'])(
    'name %s as what is refused, and what is read',
    async (method) => {
      await expect(pack({}, whole, q, { quant_method: method })).rejects.toMatchObject({
        code: 'unsupported-model',
        message: expect.stringMatching(new RegExp(`quant_method is "${method}".*AWQ, GPTQ`)),
      });
    },
  );

  it('may be in a file of their own', async () => {
    const { quant_method: _, ...old } = { ...GPTQ, checkpoint_format: 'gptq' };
    const files = { 'quantize_config.json': JSON.stringify(old) };
    expectRows(await pack(packGptq('m', q, 'v1'), whole, q, null, files), q);
    const awq = { 'quant_config.json': JSON.stringify({ w_bit: 4, q_group_size: 32, zero_point: true }) };
    expectRows(await pack(packAwqGemm('m', q), whole, q, null, awq), q);
  });

  it('are read in every spelling: upper case, the whole row, nested, 16-bit exceptions', async () => {
    expectRows(await pack(packAwqGemm('m', q), whole, q, { ...AWQ, version: 'GEMM' }), q);
    expectRows(await pack(packGptq('m', q, 'v2'), whole, q, { ...GPTQ, pack_dtype: 'torch.int32' }), q);
    const channel = randomCodes(new Random(5), 16, 64, 64);
    expectRows(
      await pack(packGptq('m', channel, 'v2'), whole, channel, { ...GPTQ, group_size: -1 }),
      channel,
    );
    const row = compressedWith({}, {}, { strategy: 'channel', group_size: null });
    expectRows(await pack(packCompressed('m', channel), whole, channel, row), channel);
    // what is said of modules that are not stored in codes does not matter
    const others = { ...GPTQ, dynamic: { '-:other': {}, '+:lm_head': { bits: 8 } } };
    expectRows(await pack(packGptq('m', q, 'v2'), whole, q, others), q);
    expect(quantSettings({ text_config: { quantization_config: AWQ } })).not.toBeNull();
    expect(quantSettings({ compression_config: COMPRESSED })).not.toBeNull();
    expect(quantSettings({ quantization_config: null })).toBeNull();
  });

  it('give way to the shapes of the tensors', async () => {
    const lied = await pack(packAwqGemm('m', q), whole, q, { ...AWQ, group_size: 128 });
    expectRows(lied, q);
    expect(lied.warnings).toEqual([expect.stringContaining('groups of 128 columns')]);
    expectRows(await pack(packGptq('m', q, 'v1'), whole, q, AWQ), q);
    const odd = randomCodes(new Random(4), 16, 64, 16);
    await expect(pack(packAwqGemm('m', odd), whole, odd, AWQ)).rejects.toThrow(
      'a scale for every 16 columns',
    );
    const eight = { ...packGptq('m', q, 'v2'), 'm.qweight': index32(new Array<number>(256).fill(0)) };
    await expect(pack(eight, whole, q, GPTQ)).rejects.toThrow('m.qweight has the shape [256]');
  });
});
