import { TabmindError } from '../errors';
import { type KvShape, kvLayout } from '../kvcache/kv-pool';
import type { LoadOptions } from '../model-ref';
import type { ModelConfig } from '../models/config';
import { planStepMemory } from '../runner/step-memory';

const BLOCK_TOKENS = 32;
const DEFAULT_SEQUENCES = 8;
const MAX_SEQUENCES = 64;
const MAX_DEFAULT_CONTEXT = 8192;
/** With matrix units long chunks take less time a token; the engine cuts them shorter where a step would last (StepTimes). */
const CHUNK_TOKENS = { plain: [256], matrices: [2048, 1024, 512] } as const;
/** All but the shortest are for models whose working memory stays small: this is what 2048 tokens of 1.5 B parameters take. */
const MAX_SCRATCH_BYTES = 288 * 2 ** 20;
/** Full contexts that the pool holds unless the request says otherwise, and the most memory that this may take. */
const DEFAULT_CONTEXTS = 4;
const MAX_DEFAULT_POOL_BYTES = 2 ** 30;

/** Sizes of everything that is allocated beside the weights. */
export interface LoadShape {
  readonly contextLength: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly kv: KvShape;
}

/** Of the adapter. */
export interface LoadRoom {
  /** f16 matrix units. */
  readonly matrices: boolean;
  /** What `cacheMaxEntryCount` is a share of; undefined: the pool has its default size. */
  readonly freeBytes?: number | undefined;
}

/** Options with their defaults filled in for this model. Throws `bad-request` for what makes no sense. */
export function loadShape(
  config: ModelConfig,
  options: LoadOptions,
  { matrices, freeBytes }: LoadRoom = { matrices: false },
): LoadShape {
  const contextLength = contextLengthOf(config, options);
  const maxSlots = Math.min(MAX_SEQUENCES, options.maxSequences ?? DEFAULT_SEQUENCES);
  // A chunk may hold rows of many prompts.
  const lengths = CHUNK_TOKENS[matrices ? 'matrices' : 'plain'].map((tokens) =>
    Math.min(tokens, maxSlots * contextLength),
  );
  const fits = (maxChunkTokens: number) => {
    const shape = { contextLength, maxSlots, maxChunkTokens, blockTokens: BLOCK_TOKENS };
    return planStepMemory(config, shape).scratchBytes <= MAX_SCRATCH_BYTES;
  };
  const maxChunkTokens = lengths.find(fits) ?? Math.min(...lengths);
  const kv = kvShape(config, options, contextLength, maxSlots, freeBytes);
  return { contextLength, maxSlots, maxChunkTokens, kv };
}

function contextLengthOf(config: ModelConfig, options: LoadOptions): number {
  const wanted = options.contextLength ?? Math.min(config.maxPositions, MAX_DEFAULT_CONTEXT);
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new TabmindError(
      'bad-request',
      `The context length is ${wanted}; it must be a whole number of tokens, 1 or more.`,
    );
  return Math.min(wanted, config.maxPositions);
}

function kvShape(
  config: ModelConfig,
  options: LoadOptions,
  contextLength: number,
  maxSlots: number,
  freeBytes: number | undefined,
): KvShape {
  const { numLayers, numKvHeads, headDim } = config;
  const shape = {
    numLayers,
    numKvHeads,
    headDim,
    kvBits: options.kvBits ?? 8,
    blockTokens: BLOCK_TOKENS,
  } as const;
  const { blockBytes } = kvLayout({ ...shape, numBlocks: 1 });
  const perContext = Math.ceil(contextLength / BLOCK_TOKENS);
  if (options.kvPoolMiB !== undefined)
    return { ...shape, numBlocks: Math.floor((options.kvPoolMiB * 2 ** 20) / blockBytes) };
  const share = options.cacheMaxEntryCount;
  if (share !== undefined && !(share > 0 && share <= 1))
    throw new TabmindError(
      'bad-request',
      `cacheMaxEntryCount is ${share}; it must be above 0 and at most 1: a share of the memory that is left.`,
    );
  if (share !== undefined && freeBytes !== undefined)
    return { ...shape, numBlocks: Math.max(1, Math.floor((share * freeBytes) / blockBytes)) };
  const affordable = Math.floor(MAX_DEFAULT_POOL_BYTES / blockBytes);
  const wanted = perContext * Math.min(DEFAULT_CONTEXTS, maxSlots);
  return { ...shape, numBlocks: Math.max(perContext, Math.min(wanted, affordable)) };
}
