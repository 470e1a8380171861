import { describe, expect, it } from 'vitest';
import { memoryNeeds } from '../../src/llm/fit';
import { loadShape } from '../../src/llm/load-shape';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { packedTensor, weightIdentity } from '../../src/weights/weight-identity';
import { CATALOG, type CatalogModel, repoOn, WORTH_TRYING } from '../../web/state/model-catalog';
import { fitIn, modelMemory } from '../../web/state/model-memory';

const GIB = 2 ** 30;

/** Parameters as the models' pages give them, in millions. */
const PUBLISHED: Readonly<Record<string, number>> = {
  'Qwen/Qwen3-0.6B': 596,
  'Qwen/Qwen3-1.7B': 1721,
  'Qwen/Qwen3-4B': 4022,
  'Qwen/Qwen3-8B': 8191,
  'Qwen/Qwen2.5-0.5B-Instruct': 494,
  'Qwen/Qwen2.5-1.5B-Instruct': 1544,
  'Qwen/Qwen2.5-3B-Instruct': 3086,
  'Qwen/Qwen2.5-7B-Instruct': 7616,
  'meta-llama/Llama-3.2-1B-Instruct': 1236,
  'meta-llama/Llama-3.2-3B-Instruct': 3213,
  'meta-llama/Llama-3.1-8B-Instruct': 8030,
  'internlm/internlm2_5-1_8b-chat': 1889,
  'internlm/internlm2_5-7b-chat': 7738,
  'HuggingFaceTB/SmolLM2-135M-Instruct': 134.5,
  'HuggingFaceTB/SmolLM2-360M-Instruct': 361.8,
  'HuggingFaceTB/SmolLM2-1.7B-Instruct': 1711,
  'HuggingFaceTB/SmolLM3-3B': 3075,
  'google/gemma-3-270m-it': 268,
  'google/gemma-3-1b-it': 1000,
  'google/gemma-2-2b-it': 2614,
  'google/gemma-2-9b-it': 9242,
  'microsoft/Phi-4-mini-instruct': 3836,
  'microsoft/Phi-3.5-mini-instruct': 3821,
  'mistralai/Mistral-7B-Instruct-v0.3': 7248,
  'zai-org/GLM-4-9B-0414': 9400,
  'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B': 1777,
  'ibm-granite/granite-3.3-2b-instruct': 2534,
  'ibm-granite/granite-3.3-8b-instruct': 8171,
  'allenai/OLMo-2-0425-1B-Instruct': 1485,
  'allenai/OLMo-2-1124-7B-Instruct': 7299,
  'LGAI-EXAONE/EXAONE-4.0-1.2B': 1279,
  'baidu/ERNIE-4.5-0.3B-PT': 361,
};

/** What the engine itself makes of a decoder of this shape. */
function inspected({ shape }: CatalogModel, weightBits: 4 | 16, contextLength: number) {
  const config = parseModelConfig(
    JSON.stringify({
      model_type: shape.hasQkvBias ? 'qwen2' : 'llama',
      hidden_size: shape.hiddenSize,
      intermediate_size: shape.innerSize,
      num_hidden_layers: shape.numLayers,
      num_attention_heads: shape.numHeads,
      num_key_value_heads: shape.numKvHeads,
      head_dim: shape.headDim,
      vocab_size: shape.vocabSize,
      max_position_embeddings: shape.maxPositions,
      rms_norm_eps: 1e-6,
      tie_word_embeddings: shape.isTied,
    }),
  );
  const options = { weightBits, contextLength };
  const identity = weightIdentity({ id: 'x', url: '' }, options);
  const specs = architectureOf(config.modelType).weights(config);
  return memoryNeeds({
    config,
    tensors: specs.map((spec) => ({ packed: packedTensor(spec, identity), group: spec.group })),
    shape: loadShape(config, options),
    limits: { maxBufferSize: 8 * GIB, maxStorageBufferBindingSize: 8 * GIB },
    checkpointBytes: 0,
  }).sizes;
}

const of = (repo: string): CatalogModel => {
  const found = CATALOG.find((model) => model.repo === repo);
  if (!found) throw new Error(`${repo} is not in the catalogue`);
  return found;
};

describe('the catalogue', () => {
  it('names every repository once, and knows what it recommends', () => {
    expect(new Set(CATALOG.map(({ repo }) => repo)).size).toBe(CATALOG.length);
    for (const repo of WORTH_TRYING) expect(of(repo).isGated).toBe(false);
    for (const { repo, licence } of CATALOG) {
      expect(repo).toMatch(/^[\w.-]+\/[\w.-]+$/);
      expect(licence).not.toBe('');
    }
  });

  it.each(Object.entries(PUBLISHED))('%s has %d million parameters', (repo, millions) => {
    const { parameters } = modelMemory(of(repo).shape, 4, 4096);
    expect(Math.abs(parameters / 1e6 / millions - 1)).toBeLessThan(0.002);
  });

  it('knows what owners are called on ModelScope', () => {
    expect(repoOn('modelscope', 'google/gemma-2-2b-it')).toBe('LLM-Research/gemma-2-2b-it');
    expect(repoOn('modelscope', 'Qwen/Qwen3-4B')).toBe('Qwen/Qwen3-4B');
    expect(repoOn('huggingface', 'google/gemma-2-2b-it')).toBe('google/gemma-2-2b-it');
  });
});

describe('modelMemory', () => {
  it.each(CATALOG.map((model) => [model.name, model] as const))('of %s is what a load takes', (_, model) => {
    for (const [bits, context] of [
      [4, 4096],
      [16, 2048],
    ] as const) {
      if (model.shape.storedBits === 4 && bits === 16) continue;
      const guess = modelMemory(model.shape, bits, Math.min(context, model.shape.maxPositions));
      const { packedBytes, kvBytes, scratchBytes } = inspected(model, bits, context);
      expect(guess.weightBytes / packedBytes).toBeCloseTo(1, 2);
      expect(guess.kvBytes / kvBytes).toBeCloseTo(1, 3);
      const ratio = guess.totalBytes / (packedBytes + kvBytes + scratchBytes);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.03);
    }
  });

  it('keeps a checkpoint of 4 bits in 4 bits, and downloads a quarter of it', () => {
    const [float, awq] = ['Qwen/Qwen2.5-7B-Instruct', 'Qwen/Qwen2.5-7B-Instruct-AWQ'].map((repo) =>
      modelMemory(of(repo).shape, 16, 4096),
    );
    expect(awq?.downloadBytes).toBeGreaterThan(5.4e9);
    expect(awq?.downloadBytes).toBeLessThan(5.7e9);
    expect(float?.downloadBytes).toBeCloseTo(15.2e9, -8);
    expect(awq?.weightBytes).toBeLessThan(0.4 * (float?.weightBytes ?? 0));
  });
});

describe('fitIn', () => {
  const memory = modelMemory(of('Qwen/Qwen3-4B').shape, 4, 8192);
  const room = (freeBytes: number, maxBufferSize = 4 * GIB) => ({
    freeBytes,
    maxBufferSize,
    maxStorageBufferBindingSize: 2 * GIB,
    isSoftware: false,
  });

  it('compares what is needed with what the card gave', () => {
    expect(fitIn(memory, null)).toBeNull();
    expect(fitIn(memory, room(2 * memory.totalBytes))).toBe('fits');
    expect(fitIn(memory, room(1.01 * memory.totalBytes))).toBe('tight');
    expect(fitIn(memory, room(0.99 * memory.totalBytes))).toBe('too-big');
    expect(fitIn(memory, room(64 * GIB, 128 * 2 ** 20))).toBe('too-big');
  });
});
