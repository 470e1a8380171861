import type { EngineStats, FinishReason, Timings } from '../protocol';
import type { TokenLogprob } from './batch';
import type { SamplingParams } from './sampling-params';
import type { DraftTimes } from './speculation';

export interface EngineOptions {
  /** Blocks of the KV pool; the pool on the GPU has the same number. */
  readonly numBlocks: number;
  /** Tokens in a block; a power of two. */
  readonly blockTokens: number;
  /** Longest sequence, prompt and completion together, in tokens. */
  readonly contextLength: number;
  /** Ids that end a completion unless the request ignores them. */
  readonly eosTokenIds: readonly number[];
  /** Sequences of more tokens share no blocks: their keys depend on the length. Default: no limit. */
  readonly maxSharedTokens?: number;
  /** Steps submitted and not read back. Default 3 to 8, more the shorter they are; 1 waits for every token before the next step is submitted. */
  readonly stepsInFlight?: number;
  /** Whether drafts give tokens sooner than plain steps, by what was measured. Default `draftsPay` of speculation.ts. */
  readonly draftsPay?: (times: DraftTimes) => boolean;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

export interface EngineRequest {
  /** Unique among the live requests. */
  readonly id: string;
  /** [numPromptTokens], at least one. */
  readonly promptIds: ArrayLike<number>;
  readonly params: SamplingParams;
  /** Larger goes first, and may take the place of a smaller one. Default 0. */
  readonly priority?: number;
  /** The conversation that this is a turn of: its blocks stay on the GPU until they are needed elsewhere. */
  readonly session?: string;
  /** False: share no blocks with other requests. Default true. */
  readonly shares?: boolean;
  /**
   * Called with the new ids of the completion as they are read back, in order, the stop token left out, and their
   * logprobs if the request asks for them. It may call the engine. What it throws fails this request only.
   */
  readonly onTokens?: (ids: readonly number[], logprobs: readonly TokenLogprob[] | null) => void;
}

export interface Completion {
  readonly reason: FinishReason;
  /** Every id of the completion, the stop token included. */
  readonly ids: readonly number[];
  /** Of every id; null when the request did not ask for them. */
  readonly logprobs: readonly TokenLogprob[] | null;
  /** The eos or stop id that ended it; null when something else did. */
  readonly stopTokenId: number | null;
  /** Prompt tokens whose keys and values were there already. */
  readonly numHitTokens: number;
  readonly timings: Timings;
}

/** The engine's share of the runtime's statistics. */
export type EngineCounts = Pick<
  EngineStats,
  | 'running'
  | 'waiting'
  | 'kvBlocksTotal'
  | 'kvBlocksUsed'
  | 'kvBlocksCached'
  | 'kvBlocksFree'
  | 'kvBlockTokens'
  | 'stepsSubmitted'
  | 'tokensGenerated'
  | 'tokensPerStep'
  | 'promptTokens'
  | 'prefixHitTokens'
  | 'numPreemptions'
  | 'draftTokens'
  | 'acceptedDraftTokens'
>;
