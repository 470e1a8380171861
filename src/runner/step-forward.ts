import type { PrefillBatch } from '../engine/batch';
import type { Gpu } from '../gpu/device';
import { headPartsOf } from '../kernels/decode-attention';
import type { StateLayout } from '../kernels/step-state';
import type { KvPool } from '../kvcache/kv-pool';
import type {
  ContextChunk,
  DispatchSink,
  ForwardContext,
  ScratchRegions,
  WeightTable,
} from '../layers/forward-context';
import { lmHead } from '../layers/lm-head';
import { sample } from '../layers/sampler';
import type { Architecture } from '../models/architecture';
import type { ModelConfig } from '../models/config';
import type { KeyBiasTables } from './key-bias';
import { MAX_SPLITS } from './layer-buffers';
import type { RopeTables } from './rope-tables';

/** Context up to here is attended to in one part: a merge would cost more than it saves. */
export const UNSPLIT_TOKENS = 384;
/** The same of a lone row: one dispatch computes all its layers, where a merge is only another phase. */
const ALONE_UNSPLIT_TOKENS = 224;
/** Workgroups that fill a large GPU twice; more parts than that only cost. */
const FULL_WORKGROUPS = 264;
/** Those of the dispatch of all layers, on a large GPU. */
const RESIDENT_WORKGROUPS = 132;

/** What slots ask for beyond a plain sampled id; it takes dispatches of its own. */
export interface Asks {
  /** Penalties, biases or bans. */
  readonly adjusts: boolean;
  /** Logprobs. */
  readonly reports: boolean;
}

export const NO_ASKS: Asks = { adjusts: false, reports: false };

/** What the dispatches of a step follow from: where everything lies, and none of it. */
export interface StepParts {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
  readonly weights: WeightTable;
  readonly pool: Pick<KvPool, 'layout' | 'layerAt'>;
  readonly layout: StateLayout;
  readonly regions: ScratchRegions;
  readonly ropes: RopeTables;
  readonly keyBias: KeyBiasTables;
}

/** What a step computes of prompts. */
export interface Chunk extends ContextChunk {
  /** Of the longest prompt; null: all rows are those of completions. */
  readonly totalTokens: number | null;
  /** Rows that are sampled, its last ones: of every prompt that ends here, or all rows of a draft. */
  readonly numSampled: number;
  /** The rows are a draft. */
  readonly verifies: boolean;
  /** Of the slots of its prompts. */
  readonly asks: Asks;
}

/** null without any. */
export function chunkOf(prefills: readonly PrefillBatch[], asks: Asks): Chunk | null {
  const [first] = prefills;
  if (first === undefined) return null;
  const parts = prefills.map(({ tokenIds, startPosition }) => ({ numRows: tokenIds.length, startPosition }));
  const totals = prefills.flatMap(({ totalTokens }) => totalTokens ?? []);
  const numSampled = prefills.reduce((sum, prefill) => sum + numSampledOf(prefill), 0);
  return {
    parts,
    numRows: parts.reduce((sum, { numRows }) => sum + numRows, 0),
    totalTokens: totals.length > 0 ? Math.max(...totals) : null,
    numSampled,
    verifies: first.verifies,
    asks,
  };
}

/** Ids that a prompt's rows sample: its last row's, or all rows' where they verify a draft. */
export function numSampledOf({ tokenIds, sample, verifies }: PrefillBatch): number {
  return verifies ? tokenIds.length : sample ? 1 : 0;
}

/** The decode rows of a step, and what their slots ask for. */
export interface DecodePart {
  readonly numRows: number;
  /** Of the last of them. */
  readonly position: number;
  readonly asks: Asks;
}

/** Steps of several shapes. */
export interface StepShapes {
  readonly chunks?: readonly (readonly [numRows: number, startPosition: number])[];
  /** Rows of chunks that verify a draft. */
  readonly drafts?: readonly number[];
  /** Decode steps: each position with each number of rows. */
  readonly positions?: readonly number[];
  readonly rowCounts?: readonly number[];
  readonly asks?: Asks;
}

/** The steps of these shapes, each a chunk or decode rows. */
export function* stepsOf(shapes: StepShapes): Generator<readonly [Chunk | null, DecodePart | null]> {
  const { chunks = [], drafts = [], positions = [], rowCounts = [], asks = NO_ASKS } = shapes;
  for (const [numRows, startPosition] of chunks) {
    const parts = [{ numRows, startPosition }];
    yield [
      { parts, numRows, totalTokens: startPosition + numRows, numSampled: 1, verifies: false, asks },
      null,
    ];
  }
  for (const numRows of drafts) {
    const parts = [{ numRows, startPosition: 0 }];
    yield [{ parts, numRows, totalTokens: null, numSampled: numRows, verifies: true, asks }, null];
  }
  for (const position of positions)
    for (const numRows of rowCounts) yield [null, { numRows, position, asks }];
}

/** Parts that decode attention cuts a context into. */
export function numSplits(config: ModelConfig, decode: DecodePart | null): number {
  if (decode === null) return 1;
  const { numHeads, numKvHeads } = config;
  const isAlone = decode.numRows === 1;
  if (decode.position < (isAlone ? ALONE_UNSPLIT_TOKENS : UNSPLIT_TOKENS)) return 1;
  // Parts as well as the tokens of each grow with the root of the length: 8 at 1,024 tokens, 32 at 16,384.
  const useful = Math.sqrt((decode.position + 1) / 8);
  // Workgroups of a lone row all run at once.
  const free = isAlone
    ? RESIDENT_WORKGROUPS / (numKvHeads * headPartsOf(config, numHeads))
    : Math.ceil(FULL_WORKGROUPS / (decode.numRows * numKvHeads));
  return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(useful, free, MAX_SPLITS))));
}

/** What layers see of a step; its dispatches go to `sink`. */
export function stepContext(
  parts: StepParts,
  chunk: Chunk | null,
  decode: DecodePart | null,
  sink: DispatchSink,
): ForwardContext {
  const { gpu, config, pool, layout, regions, weights, keyBias, ropes } = parts;
  const numDecodeRows = decode?.numRows ?? 0;
  return {
    gpu,
    config,
    state: layout,
    kv: pool.layout,
    weights,
    scratch: regions,
    numRows: (chunk?.numRows ?? 0) + numDecodeRows,
    chunk,
    numDecodeRows,
    numSplits: numSplits(config, decode),
    phases: null,
    layerAt: (layer) => pool.layerAt(layer),
    keyBias: (layer) => keyBias.call(layer, layout, regions.keyBias),
    ropeTable: (rope, rows) => ropes.tableOf(rope, rows === 'chunk' ? (chunk?.totalTokens ?? null) : null),
    push: (dispatches, slab, layer) => sink.push(dispatches, slab, layer),
    leaveSums: (sums) => sink.leaveSums(sums),
    takeSums: (wanted) => sink.takeSums(wanted),
  };
}

/** What follows the layers of a step: logits of the rows that are sampled, and their ids. */
export function sampleStep(context: ForwardContext, chunk: Chunk | null, decode: DecodePart | null): void {
  const { numRows, numDecodeRows } = context;
  // The sampled rows of a chunk are its last ones, right before the decode rows.
  const numChunkIds = chunk?.numSampled ?? 0;
  const firstRow = numRows - numDecodeRows - numChunkIds;
  if (numChunkIds + numDecodeRows > 0) lmHead(context, firstRow, numChunkIds + numDecodeRows);
  if (decode !== null)
    sample(context, {
      ...decode.asks,
      numRows: numDecodeRows,
      logitsRow: numChunkIds,
      sampledRow: 0,
      chunk: null,
    });
  if (chunk !== null && numChunkIds > 0)
    sample(context, {
      ...chunk.asks,
      numRows: numChunkIds,
      logitsRow: 0,
      sampledRow: numDecodeRows,
      chunk: { row: firstRow, feeds: !chunk.verifies },
    });
}
