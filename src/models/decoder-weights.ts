import type { ModelConfig } from './config';
import type { LinearSpec, TensorPart, VectorSpec, WeightSpec } from './weight-spec';

/** Rows of a module of a layer, by its name inside the layer. */
export type ModuleRows = Omit<TensorPart, 'leaf'>;

/** The names that a family's checkpoints use for the parts of a decoder. */
export interface CheckpointNames {
  readonly embed: string;
  readonly finalNorm: string;
  readonly head: string;
  /** Before the number of a layer. */
  readonly layers: string;
  /** Modules inside a layer whose rows are q ‖ k ‖ v. */
  readonly qkv: (config: ModelConfig) => readonly ModuleRows[];
  readonly output: string;
  /** Modules whose rows are gate ‖ up. */
  readonly gateUp: readonly string[];
  readonly down: string;
  /** RMS norms over the residual stream: our name → theirs. */
  readonly norms: Readonly<Record<string, string>>;
  /** RMS norms of q and k: one weight for every head, or one as long as all heads. */
  readonly qkNorm?: { readonly q: string; readonly k: string; readonly over: 'head' | 'all heads' };
  /** Added to the weight of every norm. */
  readonly normOffset?: number;
}

/** Names of Llama, which most families share. */
export const LLAMA_NAMES: CheckpointNames = {
  embed: 'model.embed_tokens',
  finalNorm: 'model.norm',
  head: 'lm_head',
  layers: 'model.layers',
  qkv: () => [{ module: 'self_attn.q_proj' }, { module: 'self_attn.k_proj' }, { module: 'self_attn.v_proj' }],
  output: 'self_attn.o_proj',
  gateUp: ['mlp.gate_proj', 'mlp.up_proj'],
  down: 'mlp.down_proj',
  norms: { input_norm: 'input_layernorm', mlp_norm: 'post_attention_layernorm' },
};

/**
 * The weight table of a dense decoder. Our names: embed, norm, lm_head (untied), and for every layer `layers.N.` with
 * qkv, o, gate_up, down, their `_bias`, and the norms.
 */
export function decoderWeights(config: ModelConfig, names: CheckpointNames): readonly WeightSpec[] {
  const embedGroup = config.tieEmbeddings ? 'head' : 'embed';
  const specs: WeightSpec[] = [
    matrix('embed', names.embed, embedGroup, config),
    vector('norm', [{ module: names.finalNorm }], 'weight', config.hiddenSize, 'head', names.normOffset),
  ];
  if (!config.tieEmbeddings) specs.push(matrix('lm_head', names.head, 'head', config));
  for (let layer = 0; layer < config.numLayers; layer++) specs.push(...layerWeights(config, names, layer));
  return specs;
}

function layerWeights(config: ModelConfig, names: CheckpointNames, layer: number): readonly WeightSpec[] {
  const { hiddenSize, intermediateSize, headDim, numHeads, numKvHeads, qkvBias, outputBias, mlpBias } =
    config;
  const [ours, theirs, group] = [`layers.${layer}`, `${names.layers}.${layer}`, `layer ${layer}`];
  const specs: WeightSpec[] = [];
  const linear = (name: string, parts: readonly ModuleRows[], rows: number, cols: number, bias: boolean) => {
    const modules = parts.map((part) => ({ ...part, module: `${theirs}.${part.module}` }));
    const weight = modules.map((part) => ({ ...part, leaf: 'weight' }) as const);
    const [kind, role] = ['linear', 'projection'] as const;
    specs.push({
      kind,
      role,
      name: `${ours}.${name}`,
      parts: weight,
      group,
      rows,
      cols,
    } satisfies LinearSpec);
    if (bias) specs.push(vector(`${ours}.${name}_bias`, modules, 'bias', rows, group));
  };
  const norm = (name: string, module: string, cols: number) =>
    specs.push(
      vector(`${ours}.${name}`, [{ module: `${theirs}.${module}` }], 'weight', cols, group, names.normOffset),
    );
  const [qRows, kvRows] = [numHeads * headDim, numKvHeads * headDim];
  linear('qkv', names.qkv(config), qRows + 2 * kvRows, hiddenSize, qkvBias);
  linear('o', [{ module: names.output }], hiddenSize, qRows, outputBias);
  const gateUp = names.gateUp.map((module) => ({ module }));
  linear('gate_up', gateUp, 2 * intermediateSize, hiddenSize, mlpBias);
  linear('down', [{ module: names.down }], hiddenSize, intermediateSize, mlpBias);
  for (const [name, module] of Object.entries(names.norms)) norm(name, module, hiddenSize);
  if (names.qkNorm) {
    const everyHead = names.qkNorm.over === 'head';
    norm('q_norm', names.qkNorm.q, everyHead ? headDim : qRows);
    norm('k_norm', names.qkNorm.k, everyHead ? headDim : kvRows);
  }
  return specs;
}

function vector(
  name: string,
  modules: readonly ModuleRows[],
  leaf: TensorPart['leaf'],
  cols: number,
  group: string,
  offset = 0,
): VectorSpec {
  const parts = modules.map((part) => ({ ...part, leaf }));
  return { kind: 'vector', name, parts, group, cols, ...(offset === 0 ? {} : { offset }) };
}

/** Embedding or output matrix, [vocabSize, hiddenSize]. */
function matrix(name: string, module: string, group: string, config: ModelConfig): LinearSpec {
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
