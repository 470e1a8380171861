import { attention } from '../layers/attention';
import { embed } from '../layers/embedding';
import type { ForwardContext } from '../layers/forward-context';
import { linear } from '../layers/linear';
import { mlp } from '../layers/mlp';
import type { Architecture } from './architecture';
import type { ModelConfig } from './config';
import type { VectorSpec, WeightSpec } from './weight-spec';

/**
 * Llama and its close relatives (pre-norm, SwiGLU, GQA, half-split RoPE):
 *   llama   Touvron et al. 2023, Llama 3 herd 2024
 *   qwen2   adds biases on q, k, v
 *   qwen3   adds an RMS norm over each query and key head, before RoPE
 */
export const llama: Architecture = {
  modelTypes: ['llama', 'qwen2', 'qwen3'],

  weights(config) {
    const embedGroup = config.tieEmbeddings ? 'head' : 'embed';
    const specs: WeightSpec[] = [
      matrix('embed', 'model.embed_tokens', embedGroup, config),
      vector('norm', 'model.norm', 'head', config.hiddenSize),
    ];
    if (!config.tieEmbeddings) specs.push(matrix('lm_head', 'lm_head', 'head', config));
    for (let layer = 0; layer < config.numLayers; layer++) specs.push(...layerWeights(config, layer));
    return specs;
  },

  forward(config, step) {
    embed(step, 'embed');
    for (let layer = 0; layer < config.numLayers; layer++) decoderLayer(config, step, layer);
  },
};

function decoderLayer(config: ModelConfig, step: ForwardContext, layer: number): void {
  const at = `layers.${layer}`;
  const { hidden, qkv, attended } = step.scratch;
  linear(step, {
    weight: `${at}.qkv`,
    bias: `${at}.qkv_bias`,
    norm: `${at}.input_norm`,
    in: hidden,
    out: qkv,
  });
  attention(step, {
    layer,
    window: config.layerWindows[layer] ?? 0,
    scale: config.headDim ** -0.5,
    qkNorm: config.modelType === 'qwen3' ? { q: `${at}.q_norm`, k: `${at}.k_norm`, when: 'before' } : null,
  });
  linear(step, { weight: `${at}.o`, bias: `${at}.o_bias`, in: attended, out: hidden, residual: hidden });
  mlp(step, { gateUp: `${at}.gate_up`, down: `${at}.down`, norm: `${at}.post_norm` });
}

function layerWeights(config: ModelConfig, layer: number): WeightSpec[] {
  const { hiddenSize, intermediateSize, headDim, numHeads, numKvHeads } = config;
  const [ours, theirs, group] = [`layers.${layer}`, `model.layers.${layer}`, `layer ${layer}`];
  const [qRows, kvRows] = [numHeads * headDim, numKvHeads * headDim];
  const projection = (name: string, modules: readonly string[], rows: number, cols: number): WeightSpec => ({
    kind: 'linear',
    role: 'projection',
    name: `${ours}.${name}`,
    parts: modules.map((module) => ({ module: `${theirs}.${module}`, leaf: 'weight' })),
    group,
    rows,
    cols,
  });
  const bias = (name: string, modules: readonly string[], cols: number): WeightSpec => ({
    kind: 'vector',
    name: `${ours}.${name}`,
    parts: modules.map((module) => ({ module: `${theirs}.${module}`, leaf: 'bias' })),
    group,
    cols,
  });
  const qkv = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'];
  const gateUp = ['mlp.gate_proj', 'mlp.up_proj'];
  const specs = [
    vector(`${ours}.input_norm`, `${theirs}.input_layernorm`, group, hiddenSize),
    projection('qkv', qkv, qRows + 2 * kvRows, hiddenSize),
    projection('o', ['self_attn.o_proj'], hiddenSize, qRows),
    vector(`${ours}.post_norm`, `${theirs}.post_attention_layernorm`, group, hiddenSize),
    projection('gate_up', gateUp, 2 * intermediateSize, hiddenSize),
    projection('down', ['mlp.down_proj'], hiddenSize, intermediateSize),
  ];
  if (config.attentionBias || config.modelType === 'qwen2')
    specs.push(bias('qkv_bias', qkv, qRows + 2 * kvRows));
  if (config.attentionBias && config.modelType !== 'qwen2')
    specs.push(bias('o_bias', ['self_attn.o_proj'], hiddenSize));
  if (config.mlpBias) {
    specs.push(bias('gate_up_bias', gateUp, 2 * intermediateSize));
    specs.push(bias('down_bias', ['mlp.down_proj'], hiddenSize));
  }
  if (config.modelType === 'qwen3')
    for (const norm of ['q_norm', 'k_norm'])
      specs.push(vector(`${ours}.${norm}`, `${theirs}.self_attn.${norm}`, group, headDim));
  return specs;
}

function vector(name: string, module: string, group: string, cols: number): VectorSpec {
  return { kind: 'vector', name, parts: [{ module, leaf: 'weight' }], group, cols };
}

/** Embedding or output matrix, [vocabSize, hiddenSize]. */
function matrix(name: string, module: string, group: string, config: ModelConfig): WeightSpec {
  return {
    kind: 'linear',
    role: 'head',
    name,
    parts: [{ module, leaf: 'weight' }],
    group,
    rows: config.vocabSize,
    cols: config.hiddenSize,
  };
}
