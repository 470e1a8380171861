import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { parseModelConfig } from '../../src/models/registry';

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
      qkvBias: false,
      outputBias: false,
      mlpBias: false,
      ropes: [{ theta: 500000, rotaryDim: 16, scaling: null }],
      interleavedRope: false,
      layerRopes: [0, 0, 0],
      layerWindows: [0, 0, 0],
      attentionScale: 0.25,
      attentionSoftcap: 0,
      queryGrowth: null,
      embeddingScale: 1,
      residualScale: 1,
      logitsScale: 1,
      logitsSoftcap: 0,
      bosTokenIds: [],
      eosTokenIds: [],
    });
  });

  it('takes every head as a key-value head where config.json does not say', () => {
    expect(parse({ num_key_value_heads: undefined }).numKvHeads).toBe(4);
  });

  it('knows the head size and the bias that a family implies', () => {
    expect(parse({ model_type: 'qwen3' }).headDim).toBe(128);
    expect(parse({ model_type: 'qwen3', head_dim: 32 }).headDim).toBe(32);
    expect(parse({ model_type: 'ernie4_5', head_dim: null }).headDim).toBe(16);
    expect(parse({ model_type: 'qwen2' })).toMatchObject({ qkvBias: true, outputBias: false });
    expect(parse({ attention_bias: true, mlp_bias: true })).toMatchObject({
      qkvBias: true,
      outputBias: true,
      mlpBias: true,
    });
    expect(parse({ model_type: 'mistral', attention_bias: true }).qkvBias).toBe(false);
  });

  it('finds the family by the architecture', () => {
    expect(parse({ model_type: undefined, architectures: ['Qwen2ForCausalLM'] }).modelType).toBe('qwen2');
    expect(failure({ model_type: undefined, architectures: ['X'] })).toMatchObject({
      code: 'unsupported-model',
      message: expect.stringContaining('"X"'),
    });
  });

  it('prefers the stop ids of generation_config.json', () => {
    expect(parse({ eos_token_id: 7 }).eosTokenIds).toEqual([7]);
    expect(parse({ eos_token_id: 7 }, { eos_token_id: [8, 9] }).eosTokenIds).toEqual([8, 9]);
    expect(parse({ eos_token_id: 7 }, { eos_token_id: null }).eosTokenIds).toEqual([7]);
    expect(failure({ eos_token_id: 'x' }).message).toContain('eos_token_id');
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
    const odd = ['full_attention', 'linear_attention', 'full_attention'];
    expect(failure({ ...sliding, layer_types: odd }).message).toContain('linear_attention');
  });

  it('tells an absent window from none', () => {
    expect(parse({ model_type: 'mistral' }).layerWindows).toEqual([4096, 4096, 4096]);
    expect(parse({ model_type: 'mistral', sliding_window: null }).layerWindows).toEqual([0, 0, 0]);
    expect(parse({ model_type: 'phi3' }).layerWindows).toEqual([0, 0, 0]);
    expect(parse({ model_type: 'gemma2', sliding_window: 8 }).layerWindows).toEqual([8, 0, 8]);
  });

  it('knows which layers of EXAONE and SmolLM have no positions', () => {
    const layers = (model_type: string, change: object = {}) => {
      const { layerRopes, layerWindows } = parse({ model_type, num_hidden_layers: 6, ...change });
      return [layerRopes, layerWindows];
    };
    const window = { sliding_window: 9 };
    const fourths = [
      [0, 0, 0, null, 0, 0],
      [9, 9, 9, 0, 9, 9],
    ];
    expect(layers('exaone4', window)).toEqual(fourths);
    const letters = { ...window, sliding_window_pattern: 'LG' };
    expect(layers('exaone4', letters)).toEqual([
      [0, null, 0, null, 0, null],
      [9, 0, 9, 0, 9, 0],
    ]);
    // the last layer sees all, whatever its letter
    expect(layers('exaone4', { ...window, sliding_window_pattern: 'LLLLL' })[1]).toEqual([9, 9, 9, 9, 9, 0]);
    expect(layers('exaone4', { sliding_window: null })).toEqual([
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ]);
    expect(layers('smollm3')[0]).toEqual([0, 0, 0, null, 0, 0]);
    expect(layers('smollm3', { no_rope_layer_interval: 2 })[0]).toEqual([0, null, 0, null, 0, null]);
    expect(layers('smollm3', { no_rope_layers: [0, 0, 1, 1, 0, 1, 1] })[0]).toEqual([
      null,
      null,
      0,
      0,
      null,
      0,
    ]);
    const hybrid = { ...window, use_sliding_window: true };
    expect(layers('smollm3', hybrid)[1]).toEqual([0, 0, 0, 9, 0, 0]);
    expect(failure({ model_type: 'smollm3', no_rope_layers: [1, 1] }).message).toContain('no_rope_layers');
    expect(failure({ model_type: 'smollm3', no_rope_layers: [1, 1, 2] }).message).toContain('no_rope_layers');
  });

  it('reads the scales of Gemma and Granite', () => {
    expect(parse({ model_type: 'gemma' })).toMatchObject({ embeddingScale: 8, tieEmbeddings: true });
    expect(parse({ model_type: 'gemma2', hidden_act: 'gelu' })).toMatchObject({
      activation: 'gelu_tanh',
      attentionScale: 1 / 16,
      attentionSoftcap: 50,
      logitsSoftcap: 30,
    });
    expect(parse({ model_type: 'gemma2', final_logit_softcapping: null }).logitsSoftcap).toBe(0);
    const bidirectional = { model_type: 'gemma3_text', use_bidirectional_attention: true };
    expect(failure(bidirectional).code).toBe('unsupported-model');
    expect(parse({ model_type: 'granite', logits_scaling: 8, residual_multiplier: 0.5 })).toMatchObject({
      logitsScale: 0.125,
      residualScale: 0.5,
      attentionScale: 1,
    });
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
    [{ model_type: 'granite', logits_scaling: 0 }, 'logits_scaling'],
    [{ model_type: 'exaone4', sliding_window_pattern: 'LX' }, 'sliding_window_pattern'],
    [{ model_type: 'qwen2', max_window_layers: -1 }, 'max_window_layers'],
  ])('names the wrong key in %o', (change, key) => {
    const error = failure(change);
    expect(error.code).toBe('bad-checkpoint');
    expect(error.message).toContain('config.json');
    expect(error.message).toContain(key);
  });

  it.each([
    [{ model_type: 'mamba' }, 'mamba'],
    [{ model_type: 'qwen3_moe' }, 'qwen3_moe'],
    [{ model_type: 'lfm2' }, 'lfm2'],
    [{ model_type: 'qwen3_5_text' }, 'qwen3_5_text'],
    [{ model_type: 'gemma3' }, 'gemma3'],
    [{ hidden_act: 'snake' }, 'snake'],
    [{ hidden_act: 'gelu' }, 'gelu'],
    [{ rope_scaling: { rope_type: 'spiral', factor: 2 } }, 'spiral'],
  ])('refuses what it does not know in %o', (change, name) => {
    const error = failure(change);
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toContain(name);
  });

  it.each([
    ['qwen3_moe', {}, 'a mixture of experts'],
    ['mixtral', { num_local_experts: 8 }, 'a mixture of experts'],
    ['minimax', { text_config: { num_experts: 64 } }, 'a mixture of experts'],
    ['lfm2', { layer_types: ['conv', 'full_attention'] }, 'a hybrid of attention and other layers'],
    ['qwen3_5', { text_config: { layer_types: ['linear_attention'] } }, 'a hybrid of attention'],
    ['mamba2', {}, 'a state-space model'],
    ['gemma3', { vision_config: {} }, 'a model of more than text'],
    ['t5', { is_encoder_decoder: true }, 'an encoder with a decoder'],
    ['apertus', { layer_types: ['full_attention', 'sliding_attention'] }, '"apertus", which'],
  ])('says what kind of model %s is, and what is supported', (model_type, change, kind) => {
    const { code, message, remedy, details } = failure({ model_type, ...change });
    expect(code).toBe('unsupported-model');
    expect(message).toContain(`"${model_type}"`);
    expect(message).toContain(kind);
    expect(message).toMatch(/llama.*qwen3/);
    expect(remedy).not.toBe('');
    expect(details.value).toBe(model_type);
  });

  it('names the file that is not JSON', () => {
    expect(() => parseModelConfig('{"a": 1,}')).toThrow(/config\.json is not valid JSON/);
    expect(() => parseModelConfig('[]')).toThrow(/config\.json is not a JSON object/);
    expect(() => parseModelConfig(JSON.stringify(LLAMA), '{')).toThrow(/generation_config\.json/);
  });
});
