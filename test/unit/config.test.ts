import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { parseModelConfig } from '../../src/models/config';
import { fixturePath } from '../reference/folder-source';

const LLAMA = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  vocab_size: 100,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  rope_theta: 500000,
};

function parse(change: object, generation: object | null = null) {
  return parseModelConfig(JSON.stringify({ ...LLAMA, ...change }), generation && JSON.stringify(generation));
}

function failure(change: object): TabmindError {
  try {
    parse(change);
  } catch (thrown) {
    if (thrown instanceof TabmindError) return thrown;
  }
  throw new Error('no TabmindError');
}

function fixture(path: string): string {
  return readFileSync(fixturePath(path), 'utf8');
}

describe('parseModelConfig', () => {
  it('reads a plain config', () => {
    const { raw: _, ...config } = parse({});
    expect(config).toEqual({
      modelType: 'llama',
      hiddenSize: 64,
      intermediateSize: 128,
      numLayers: 3,
      numHeads: 4,
      numKvHeads: 2,
      headDim: 16,
      vocabSize: 100,
      maxPositions: 512,
      rmsNormEps: 1e-5,
      activation: 'silu',
      tieEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      rope: { theta: 500000, rotaryDim: 16, scaling: null },
      layerWindows: [0, 0, 0],
      bosTokenIds: [],
      eosTokenIds: [],
    });
  });

  it.each(['llama', 'qwen2', 'qwen3'])('gives the same for both spellings of %s', (name) => {
    const { raw: _, ...old } = parseModelConfig(fixture(`models/${name}/config.json`));
    const { raw: __, ...modern } = parseModelConfig(fixture(`models/${name}/config.v5.json`));
    expect(modern).toEqual(old);
    expect(old.modelType).toBe(name);
  });

  it('takes every head as a key-value head where config.json does not say', () => {
    expect(parse({ num_key_value_heads: undefined }).numKvHeads).toBe(4);
  });

  it('knows the head size and the bias that a family implies', () => {
    expect(parse({ model_type: 'qwen3' }).headDim).toBe(128);
    expect(parse({ model_type: 'qwen3', head_dim: 32 }).headDim).toBe(32);
    expect(parse({ model_type: 'qwen2' }).attentionBias).toBe(true);
    expect(parse({ attention_bias: true, mlp_bias: true })).toMatchObject({
      attentionBias: true,
      mlpBias: true,
    });
  });

  it('finds the family by the architecture', () => {
    expect(parse({ model_type: undefined, architectures: ['Qwen2ForCausalLM'] }).modelType).toBe('qwen2');
    expect(failure({ model_type: undefined, architectures: ['X'] }).code).toBe('unsupported-model');
  });

  it('prefers the stop ids of generation_config.json', () => {
    expect(parse({ eos_token_id: 7 }).eosTokenIds).toEqual([7]);
    expect(parse({ eos_token_id: 7 }, { eos_token_id: [8, 9] }).eosTokenIds).toEqual([8, 9]);
    expect(parse({ eos_token_id: 7 }, { eos_token_id: null }).eosTokenIds).toEqual([7]);
    expect(failure({ eos_token_id: 'x' }).message).toContain('eos_token_id');
  });

  it('maps old rope keys and fills in the trained length', () => {
    expect(parse({ rope_scaling: { type: 'linear', factor: 4 } }).rope.scaling).toEqual({
      rope_type: 'linear',
      factor: 4,
      original_max_position_embeddings: 512,
    });
    const modern = { rope_parameters: { rope_type: 'dynamic', factor: 2, rope_theta: 7 } };
    expect(parse(modern).rope).toMatchObject({ theta: 7, scaling: { rope_type: 'dynamic', factor: 2 } });
    expect(parse({ rope_parameters: { rope_type: 'default', rope_theta: 9 } }).rope).toEqual({
      theta: 9,
      rotaryDim: 16,
      scaling: null,
    });
    expect(parse({ partial_rotary_factor: 0.5 }).rope.rotaryDim).toBe(8);
  });

  it('refuses a rope without its numbers', () => {
    expect(failure({ rope_scaling: { rope_type: 'llama3', factor: 8 } }).message).toContain(
      'low_freq_factor',
    );
    expect(failure({ rope_scaling: { type: 'linear' } }).message).toContain('factor');
    expect(failure({ rope_scaling: 'yes' }).message).toContain('rope_scaling');
  });

  it('gives layers their windows', () => {
    const sliding = {
      model_type: 'qwen2',
      use_sliding_window: true,
      sliding_window: 12,
      max_window_layers: 1,
    };
    expect(parse(sliding).layerWindows).toEqual([0, 12, 12]);
    expect(parse({ ...sliding, use_sliding_window: false }).layerWindows).toEqual([0, 0, 0]);
    const types = ['sliding_attention', 'full_attention', 'sliding_attention'];
    expect(parse({ ...sliding, layer_types: types }).layerWindows).toEqual([12, 0, 12]);
    expect(failure({ ...sliding, layer_types: ['full_attention'] }).message).toContain('layer_types');
    expect(failure({ model_type: 'qwen2', layer_types: types }).message).toContain('sliding_window');
  });

  it.each([
    [{ hidden_size: undefined }, 'hidden_size'],
    [{ hidden_size: '64' }, 'hidden_size'],
    [{ hidden_size: 63 }, 'hidden_size'],
    [{ num_hidden_layers: 0 }, 'num_hidden_layers'],
    [{ num_hidden_layers: 2.5 }, 'num_hidden_layers'],
    [{ num_key_value_heads: 3 }, 'num_key_value_heads'],
    [{ head_dim: 7 }, 'head_dim'],
    [{ vocab_size: 1e12 }, 'vocab_size'],
    [{ intermediate_size: 1e12 }, 'intermediate_size'],
    [{ rms_norm_eps: 0 }, 'rms_norm_eps'],
    [{ tie_word_embeddings: 'no' }, 'tie_word_embeddings'],
    [{ rope_theta: -1 }, 'rope_theta'],
  ])('names the wrong key in %o', (change, key) => {
    const error = failure(change);
    expect(error.code).toBe('bad-checkpoint');
    expect(error.message).toContain('config.json');
    expect(error.message).toContain(key);
  });

  it.each([
    [{ model_type: 'mamba' }, 'mamba'],
    [{ hidden_act: 'snake' }, 'snake'],
    [{ rope_scaling: { rope_type: 'spiral', factor: 2 } }, 'spiral'],
  ])('refuses what it does not know in %o', (change, name) => {
    const error = failure(change);
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toContain(name);
  });

  it('names the file that is not JSON', () => {
    expect(() => parseModelConfig('{"a": 1,}')).toThrow(/config\.json is not valid JSON/);
    expect(() => parseModelConfig('[]')).toThrow(/config\.json is not a JSON object/);
    expect(() => parseModelConfig(JSON.stringify(LLAMA), '{')).toThrow(/generation_config\.json/);
  });
});
