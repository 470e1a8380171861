import {
  configError,
  type JsonObject,
  parseJsonObject,
  readCount,
  readFlag,
  readPositive,
  readTokenIds,
  unsupported,
} from './config-fields';
import { parseRope, type RopeConfig } from './rope-config';

export { type JsonObject, parseJsonObject } from './config-fields';
export type { RopeConfig } from './rope-config';

/** Validated, architecture-neutral model description; `parseModelConfig` makes it from a Hugging Face config.json. */
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
  /** max_position_embeddings. */
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly activation: 'silu' | 'gelu_tanh';
  readonly tieEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly rope: RopeConfig;
  /** Per layer: tokens a query sees (itself included), 0 = all. */
  readonly layerWindows: readonly number[];
  readonly bosTokenIds: readonly number[];
  readonly eosTokenIds: readonly number[];
  /** The whole config.json, for fields that only one architecture file reads. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** What the model classes of one family fill in or decide where config.json is silent. */
interface Family {
  readonly architectures: readonly string[];
  readonly maxPositions: number;
  /** null: hidden_size / num_attention_heads. */
  readonly headDim: number | null;
  /** null: read `attention_bias`. */
  readonly attentionBias: boolean | null;
  readonly slidingWindow: boolean;
}

const FAMILIES: ReadonlyMap<string, Family> = new Map([
  [
    'llama',
    {
      architectures: ['LlamaForCausalLM'],
      maxPositions: 2048,
      headDim: null,
      attentionBias: null,
      slidingWindow: false,
    },
  ],
  [
    'qwen2',
    {
      architectures: ['Qwen2ForCausalLM'],
      maxPositions: 32768,
      headDim: null,
      attentionBias: true,
      slidingWindow: true,
    },
  ],
  [
    'qwen3',
    {
      architectures: ['Qwen3ForCausalLM'],
      maxPositions: 32768,
      headDim: 128,
      attentionBias: null,
      slidingWindow: true,
    },
  ],
]);

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
export function parseModelConfig(configText: string, generationText: string | null = null): ModelConfig {
  const raw = parseJsonObject('config.json', configText);
  const generation = generationText === null ? {} : parseJsonObject('generation_config.json', generationText);
  const modelType = familyName(raw);
  const family = FAMILIES.get(modelType);
  if (!family) throw unsupported('model_type', modelType, [...FAMILIES.keys()]);
  const numLayers = readCount(raw, 'num_hidden_layers', 1024);
  const heads = readHeads(raw, family);
  const activation = ACTIVATIONS.get(raw.hidden_act ?? 'silu');
  if (!activation)
    throw unsupported('hidden_act', raw.hidden_act, ['silu', 'swish', 'gelu_pytorch_tanh', 'gelu_new']);
  const maxPositions = readCount(raw, 'max_position_embeddings', 2 ** 31, family.maxPositions);
  const eosTokenIds = readTokenIds(generation, 'eos_token_id');
  return {
    modelType,
    ...heads,
    intermediateSize: readCount(raw, 'intermediate_size', 2 ** 22),
    numLayers,
    vocabSize: readCount(raw, 'vocab_size', 2 ** 24),
    maxPositions,
    rmsNormEps: readPositive(raw, 'rms_norm_eps', 1e-6),
    activation,
    tieEmbeddings: readFlag(raw, 'tie_word_embeddings', false),
    attentionBias: family.attentionBias ?? readFlag(raw, 'attention_bias', false),
    mlpBias: readFlag(raw, 'mlp_bias', false),
    rope: parseRope(raw, heads.headDim),
    layerWindows: family.slidingWindow ? readWindows(raw, numLayers) : new Array<number>(numLayers).fill(0),
    bosTokenIds: readTokenIds(raw, 'bos_token_id'),
    eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : readTokenIds(raw, 'eos_token_id'),
    raw,
  };
}

function familyName(raw: JsonObject): string {
  if (typeof raw.model_type === 'string') return raw.model_type;
  const [architecture]: readonly unknown[] = Array.isArray(raw.architectures) ? raw.architectures : [];
  if (typeof architecture !== 'string')
    throw configError('model_type', 'is missing, and so is architectures');
  for (const [name, family] of FAMILIES) if (family.architectures.includes(architecture)) return name;
  throw unsupported(
    'architectures',
    architecture,
    [...FAMILIES.values()].flatMap((family) => family.architectures),
  );
}

type HeadShape = Pick<ModelConfig, 'hiddenSize' | 'numHeads' | 'numKvHeads' | 'headDim'>;

function readHeads(raw: JsonObject, family: Family): HeadShape {
  const hiddenSize = readCount(raw, 'hidden_size', 2 ** 20);
  const numHeads = readCount(raw, 'num_attention_heads', 4096);
  const numKvHeads = readCount(raw, 'num_key_value_heads', 4096, numHeads);
  if (numHeads % numKvHeads !== 0)
    throw configError(
      'num_attention_heads',
      `(${numHeads}) is not a multiple of num_key_value_heads (${numKvHeads})`,
    );
  const hasHeadDim = raw.head_dim !== undefined && raw.head_dim !== null;
  if (!hasHeadDim && family.headDim === null && hiddenSize % numHeads !== 0)
    throw configError(
      'hidden_size',
      `(${hiddenSize}) is not a multiple of num_attention_heads (${numHeads})`,
    );
  const headDim = readCount(raw, 'head_dim', 4096, family.headDim ?? hiddenSize / numHeads);
  if (headDim % 2 !== 0) throw configError('head_dim', `is ${headDim}; rotary embedding needs an even one`);
  return { hiddenSize, numHeads, numKvHeads, headDim };
}

/** `layer_types` (transformers 5) or, before that, every layer from `max_window_layers` on. */
function readWindows(raw: JsonObject, numLayers: number): readonly number[] {
  const on = readFlag(raw, 'use_sliding_window', false) && (raw.sliding_window ?? null) !== null;
  const window = on ? readCount(raw, 'sliding_window', 2 ** 31) : 0;
  const types = raw.layer_types;
  if (types === undefined || types === null) {
    const first = on ? firstWindowLayer(raw) : numLayers;
    return Array.from({ length: numLayers }, (_, layer) => (layer >= first ? window : 0));
  }
  if (!Array.isArray(types) || types.length !== numLayers)
    throw configError('layer_types', `must list ${numLayers} layers, as num_hidden_layers says`);
  return types.map((type: unknown) => {
    if (type === 'full_attention') return 0;
    if (type !== 'sliding_attention')
      throw unsupported('layer_types', type, ['full_attention', 'sliding_attention']);
    if (window === 0)
      throw configError('layer_types', 'names sliding_attention, but sliding_window is not set');
    return window;
  });
}

function firstWindowLayer(raw: JsonObject): number {
  const value = raw.max_window_layers ?? 28;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw configError('max_window_layers', `is ${JSON.stringify(value)}, not a whole number`);
  return value;
}
