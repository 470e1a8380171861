import { describe, expect, it } from 'vitest';
import { inWords, judgeFit, type MemoryQuestion, memoryNeeds, withoutHeld } from '../../src/llm/fit';
import { loadShape } from '../../src/llm/load-shape';
import type { LoadOptions } from '../../src/model-ref';
import type { ModelConfig } from '../../src/models/config';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { packedOrder } from '../../src/weights/packed-tensor';
import { packedTensor, weightIdentity } from '../../src/weights/weight-identity';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** An 8B model of the Llama 3 shape. */
const CONFIG = parseModelConfig(
  JSON.stringify({
    model_type: 'llama',
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128256,
    max_position_embeddings: 131072,
    rms_norm_eps: 1e-5,
  }),
);
const LARGE = { maxBufferSize: 4 * GIB, maxStorageBufferBindingSize: 2 * GIB - 4 };

function needs(
  options: LoadOptions = {},
  limits = LARGE,
  checkpointBytes = 16 * GIB,
  config = CONFIG,
  more: MemoryQuestion['tensors'] = [],
) {
  const identity = weightIdentity({ id: 'x', url: '' }, options);
  const specs = architectureOf(config.modelType).weights(config);
  const tensors = specs.map((spec) => ({ packed: packedTensor(spec, identity), group: spec.group }));
  const shape = loadShape(config, options);
  return memoryNeeds({ config, tensors: [...tensors, ...more], shape, limits, checkpointBytes });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('memoryNeeds', () => {
  it('counts the weights of an 8B model', () => {
    const { packedBytes } = needs().sizes;
    // 6.98e9 projection weights at 4 bits and 4 bytes a group of 128; two heads of 128256 · 4096 at 8 bits and the same
    const layer = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336;
    const expected = (32 * layer * (4 + 0.25)) / 8 + (2 * 128256 * 4096 * (8 + 0.25)) / 8 + 65 * 4096 * 4;
    expect(packedBytes / expected).toBeCloseTo(1, 5);
    expect(needs({ weightBits: 8, headBits: 8 }).sizes.packedBytes).toBeGreaterThan(1.5 * packedBytes);
  });

  it('counts the cache of four contexts, at most a gibibyte unless one context is more', () => {
    // a token: 32 layers, 8 heads of 128, K and V: one byte an element, one word a row
    const token = 32 * 8 * 2 * (128 + 4);
    expect(needs({ contextLength: 2048 }).sizes.kvBytes / (4 * 2048 * token)).toBeCloseTo(1, 3);
    expect(needs({ contextLength: 8192 }).sizes.kvBytes).toBeLessThanOrEqual(GIB);
    expect(needs({ contextLength: 131072 }).sizes.kvBytes / (131072 * token)).toBeCloseTo(1, 3);
    expect(needs({ contextLength: 2048, kvBits: 4 }).sizes.kvBytes).toBeLessThan(
      needs({ contextLength: 2048 }).sizes.kvBytes,
    );
  });

  it('adds up, and cuts into buffers that the device can bind', () => {
    for (const limits of [LARGE, { maxBufferSize: GIB, maxStorageBufferBindingSize: 700 * MIB }]) {
      const { sizes, fixedBuffers, kvBuffers } = needs({}, limits);
      expect(sum(fixedBuffers)).toBe(sizes.packedBytes + sizes.scratchBytes);
      // the pool has a block beside it, for copies
      expect(sum(kvBuffers) - sizes.kvBytes).toBe(32 * 32 * 8 * 2 * (128 + 4));
      const [mostBytes] = [...fixedBuffers, ...kvBuffers].toSorted((a, b) => b - a);
      expect(mostBytes).toBeLessThanOrEqual(
        Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
      );
    }
    expect(needs().sizes.scratchBytes).toBeGreaterThan(64 * MIB);
  });

  it('gives a matrix of more than a gibibyte a buffer of its own, where the device has such buffers', () => {
    const { fixedBuffers } = needs({ headBits: 16, weightBits: 16 });
    expect(fixedBuffers.filter((bytes) => bytes > GIB)).toEqual([]);
    const wide = { ...CONFIG, vocabSize: 152064 };
    const large = needs({ headBits: 16, weightBits: 16 }, LARGE, 0, wide).fixedBuffers;
    // the head with the norm beside it, and the embedding
    const matrix = 152064 * 4096 * 2;
    expect(large.filter((bytes) => bytes > GIB)).toEqual([matrix, matrix + 4096 * 4]);
    expect(Math.max(...large.filter((bytes) => bytes < matrix))).toBeLessThanOrEqual(GIB);
  });

  it('counts what the K bias may take, and the columns of linears that have an order of their own', () => {
    const plain = needs().sizes.scratchBytes;
    const biased = { ...CONFIG, modelType: 'qwen2', qkvBias: true };
    // 256 rows of a chunk and 8 decode rows, of 32 heads with 64 pairs each, and in every layer of 8 heads 128 biases and 64 pairs
    const terms = 264 * 32 * 64 * 2 * 4;
    const tables = 32 * 8 * (128 + 3 * 64) * 4;
    expect(needs({}, LARGE, 0, biased).sizes.scratchBytes - plain).toBeCloseTo(terms + tables, -3);
    const order = { packed: packedOrder('layers.0.down', 14336), group: 'layer 0' };
    const ordered = needs({}, LARGE, 0, CONFIG, [order]).sizes.scratchBytes;
    expect(ordered - plain).toBe(264 * 14336 * 4);
  });

  it('needs room for conversion, but never more than twice the checkpoint, and none for a cached model', () => {
    expect(needs().sizes.conversionBytes).toBe(128 * MIB);
    expect(needs({}, LARGE, MIB).conversionBuffers).toEqual([2 * MIB]);
    expect(needs({}, LARGE, 0).conversionBuffers).toEqual([]);
  });

  it('says which tensor a small device cannot hold', () => {
    const small = { maxBufferSize: 256 * MIB, maxStorageBufferBindingSize: 128 * MIB };
    expect(() => needs({}, small)).toThrow(/need \d+ MiB in one buffer; this graphics device offers 128 MiB/);
  });
});

describe('withoutHeld', () => {
  it('leaves out what will be free again', () => {
    expect(withoutHeld([10, 20, 30], 0)).toEqual([10, 20, 30]);
    expect(withoutHeld([10, 20, 30], 15)).toEqual([15, 30]);
    expect(withoutHeld([10, 20, 30], 30)).toEqual([30]);
    expect(withoutHeld([10, 20, 30], 1000)).toEqual([]);
  });
});

describe('judgeFit', () => {
  const sizes = { packedBytes: 5 * GIB, kvBytes: GIB, scratchBytes: 100 * MIB, conversionBytes: 128 * MIB };

  it.each([
    ['all', null, 'fits', null, /6\.1 GiB .*5\.0 GiB weights, 1\.0 GiB context, 100 MiB working memory/],
    ['all', 6 * GIB, 'fits', null, /gave that much/],
    ['resident', null, 'tight', 'memory', /not 128 MiB more for converting/],
    ['fixed', null, 'too-big', 'context', /room for the weights, but not for the context.*shorter context/],
    ['none', null, 'too-big', 'memory', /did not give that much.*smaller model/],
    ['none', 0, 'too-big', 'memory', /did not give that much/],
    ['all', 2 * GIB, 'tight', 'storage', /room for only 2\.0 GiB .*cache off/],
  ] as const)('given %s, room %s: %s', (given, storageBytes, fits, limit, words) => {
    const verdict = judgeFit(sizes, given, storageBytes);
    expect([verdict.fits, verdict.limit]).toEqual([fits, limit]);
    expect(verdict.reason).toMatch(words);
  });

  it('writes sizes as people read them', () => {
    expect([0, 3 * MIB, 1023 * MIB, GIB, 13.26 * GIB].map(inWords)).toEqual([
      '1 MiB',
      '3 MiB',
      '1023 MiB',
      '1.0 GiB',
      '13.3 GiB',
    ]);
  });
});

describe('loadShape', () => {
  const blockBytes = 32 * 32 * 2 * 8 * (128 + 4);

  it('takes a share of the memory that is left, unless MiB are named', () => {
    const shape = (options: LoadOptions, freeBytes?: number) =>
      loadShape(CONFIG, options, { matrices: false, freeBytes }).kv.numBlocks;
    expect(shape({ cacheMaxEntryCount: 0.5 }, GIB)).toBe(Math.floor(GIB / 2 / blockBytes));
    expect(shape({ cacheMaxEntryCount: 0.5, kvPoolMiB: 100 }, GIB)).toBe(
      Math.floor((100 * MIB) / blockBytes),
    );
    expect(shape({ cacheMaxEntryCount: 0.5 })).toBe(shape({}));
  });

  it('has long chunks on matrix units, of several prompts where contexts are short, as far as they take little memory', () => {
    const longest = (config: ModelConfig, options: LoadOptions, matrices = true) =>
      loadShape(config, options, { matrices }).maxChunkTokens;
    expect(longest(CONFIG, {}, false)).toBe(256);
    expect(longest(CONFIG, { contextLength: 4096 })).toBe(1024);
    const small = { ...CONFIG, hiddenSize: 1536, intermediateSize: 8960, numHeads: 12, numKvHeads: 2 };
    expect(longest(small, { contextLength: 4096 })).toBe(2048);
    expect(longest(small, { contextLength: 160, maxSequences: 8 })).toBe(1280);
    expect(longest(small, { contextLength: 160, maxSequences: 1 })).toBe(160);
    expect(longest({ ...CONFIG, intermediateSize: 65536 }, { contextLength: 4096 })).toBe(512);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a share of %d', (cacheMaxEntryCount) => {
    expect(() => loadShape(CONFIG, { cacheMaxEntryCount })).toThrow(
      expect.objectContaining({ code: 'bad-request' }),
    );
  });
});
