import {
  configError,
  type JsonObject,
  readCount,
  readFlag,
  readPositive,
  readTokenIds,
  unsupported,
} from './config-fields';
import { parseRope, type RopeConfig, type RopeDefaults, stretchedLength } from './rope-config';

export { type JsonObject, parseJsonObject } from './config-fields';
export type { RopeConfig } from './rope-config';

/**
 * Validated description of a dense decoder, whatever its family; `parseModelConfig` in registry.ts makes it from a
 * Hugging Face config.json.
 */
export interface ModelConfig {
  /** `model_type` of config.json, e.g. 'qwen3'. */
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  /** Tokens that the positions are made for, scaled rope included. */
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly activation: 'silu' | 'gelu_tanh';
  readonly tieEmbeddings: boolean;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Ropes that layers choose from; all rotate the same number of dims. */
  readonly ropes: readonly RopeConfig[];
  /** Rotary pairs are (2i, 2i + 1) instead of (i, i + rotaryDim / 2). */
  readonly interleavedRope: boolean;
  /** Per layer: index into `ropes`, null = no positions. */
  readonly layerRopes: readonly (number | null)[];
  /** Per layer: tokens a query sees (itself included), 0 = all. */
  readonly layerWindows: readonly number[];
  /** Multiplies q · k. */
  readonly attentionScale: number;
  /** Scores become cap · tanh(score / cap); 0 = none. */
  readonly attentionSoftcap: number;
  /** Queries grow with their position p by 1 + beta · ln(1 + ⌊p / span⌋). */
  readonly queryGrowth: { readonly beta: number; readonly span: number } | null;
  readonly embeddingScale: number;
  /** Multiplies what attention and MLP add to the residual stream. */
  readonly residualScale: number;
  readonly logitsScale: number;
  /** As attentionSoftcap, after the scale. */
  readonly logitsSoftcap: number;
  readonly bosTokenIds: readonly number[];
  readonly eosTokenIds: readonly number[];
  /** The whole config.json. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** What a family takes where config.json is silent: the defaults of its class in transformers. */
export interface ConfigDefaults extends RopeDefaults {
  readonly maxPositions: number;
  /** Default: hidden_size / num_attention_heads. */
  readonly headDim?: number;
  /** Default: 1e-6. */
  readonly rmsNormEps?: number;
  /** Default: 'silu'. */
  readonly activation?: ModelConfig['activation'];
  /** Default: false. */
  readonly tieEmbeddings?: boolean;
}

/** How one family describes itself in config.json. */
export interface ConfigFamily {
  /** Value of `model_type`. */
  readonly modelType: string;
  /** Name in `architectures`, for a config.json without model_type. */
  readonly className: string;
  readonly defaults: ConfigDefaults;
  /** Several ropes, that of the full-attention layers first. Default: one for all layers. */
  readRopes?(raw: JsonObject, headDim: number, defaults: ConfigDefaults): readonly RopeConfig[];
  /** What this family alone reads, on top of the fields that all families share. */
  readConfig?(raw: JsonObject, shared: ModelConfig): Partial<ModelConfig>;
}

const ACTIVATIONS: ReadonlyMap<unknown, ModelConfig['activation']> = new Map([
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['gelu_new', 'gelu_tanh'],
]);

/**
 * Reads and checks config.json, in the spelling of transformers 4 or 5. Stop ids come from generation_config.json where
 * it names any. Nothing is allocated from the numbers. Throws `bad-checkpoint` or `unsupported-model` naming the key.
 */
export function readModelConfig(raw: JsonObject, generation: JsonObject, family: ConfigFamily): ModelConfig {
  const { defaults } = family;
  const heads = readHeads(raw, defaults);
  const numLayers = readCount(raw, 'num_hidden_layers', 1024);
  const ropes = family.readRopes?.(raw, heads.headDim, defaults) ?? [parseRope(raw, heads.headDim, defaults)];
  const maxPositions = readCount(raw, 'max_position_embeddings', 2 ** 31, defaults.maxPositions);
  const eosTokenIds = readTokenIds(generation, 'eos_token_id');
  const shared: ModelConfig = {
    modelType: family.modelType,
    ...heads,
    intermediateSize: readCount(raw, 'intermediate_size', 2 ** 22),
    numLayers,
    vocabSize: readCount(raw, 'vocab_size', 2 ** 24),
    maxPositions: stretchedLength(ropes[0]?.scaling ?? null, maxPositions),
    rmsNormEps: readPositive(raw, 'rms_norm_eps', defaults.rmsNormEps ?? 1e-6),
    activation: readActivation(raw, defaults.activation ?? 'silu'),
    tieEmbeddings: readFlag(raw, 'tie_word_embeddings', defaults.tieEmbeddings ?? false),
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    ropes,
    interleavedRope: false,
    layerRopes: new Array<number>(numLayers).fill(0),
    layerWindows: new Array<number>(numLayers).fill(0),
    attentionScale: heads.headDim ** -0.5,
    attentionSoftcap: 0,
    queryGrowth: null,
    embeddingScale: 1,
    residualScale: 1,
    logitsScale: 1,
    logitsSoftcap: 0,
    bosTokenIds: readTokenIds(raw, 'bos_token_id'),
    eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : readTokenIds(raw, 'eos_token_id'),
    raw,
  };
  return { ...shared, ...family.readConfig?.(raw, shared) };
}

/** `attention_bias` (on all four projections) and `mlp_bias`, as Llama's class reads them. */
export function readBiases(raw: JsonObject): Pick<ModelConfig, 'qkvBias' | 'outputBias' | 'mlpBias'> {
  const attention = readFlag(raw, 'attention_bias', false);
  return { qkvBias: attention, outputBias: attention, mlpBias: readFlag(raw, 'mlp_bias', false) };
}

type HeadShape = Pick<ModelConfig, 'hiddenSize' | 'numHeads' | 'numKvHeads' | 'headDim'>;

function readHeads(raw: JsonObject, defaults: ConfigDefaults): HeadShape {
  const hiddenSize = readCount(raw, 'hidden_size', 2 ** 20);
  const numHeads = readCount(raw, 'num_attention_heads', 4096);
  const numKvHeads = readCount(raw, 'num_key_value_heads', 4096, numHeads);
  if (numHeads % numKvHeads !== 0)
    throw configError(
      'num_attention_heads',
      `(${numHeads}) is not a multiple of num_key_value_heads (${numKvHeads})`,
    );
  // null asks for the quotient even where the family has a size of its own
  const implied = raw.head_dim === null ? undefined : defaults.headDim;
  const said = raw.head_dim ?? implied;
  if (said === undefined && hiddenSize % numHeads !== 0)
    throw configError(
      'hidden_size',
      `(${hiddenSize}) is not a multiple of num_attention_heads (${numHeads})`,
    );
  const headDim = readCount(raw, 'head_dim', 4096, implied ?? hiddenSize / numHeads);
  if (headDim % 2 !== 0) throw configError('head_dim', `is ${headDim}; rotary embedding needs an even one`);
  return { hiddenSize, numHeads, numKvHeads, headDim };
}

function readActivation(raw: JsonObject, fallback: ModelConfig['activation']): ModelConfig['activation'] {
  const key =
    raw.hidden_activation === undefined || raw.hidden_activation === null
      ? 'hidden_act'
      : 'hidden_activation';
  const named = raw[key] ?? null;
  if (named === null) return fallback;
  // Gemma's first configs say gelu and mean its tanh approximation
  if (named === 'gelu' && fallback === 'gelu_tanh') return 'gelu_tanh';
  const activation = ACTIVATIONS.get(named);
  if (!activation) throw unsupported(key, named, ['silu', 'swish', 'gelu_pytorch_tanh', 'gelu_new']);
  return activation;
}
