/** The words spoken across the wall between the page and the worker: types only. */

import type { ModelInfo } from './model-ref';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
}

/**
 * How tokens are chosen, in this order: penalties, logit bias and bad words, min_tokens, temperature, top_k, top_p, min_p.
 * Unset fields take the model's generation_config.
 */
export interface SamplingRequest {
  /** 0 = greedy. */
  readonly temperature?: number;
  readonly top_p?: number;
  /** 0 = off. */
  readonly top_k?: number;
  readonly min_p?: number;
  /** Logits of tokens in prompt and completion are divided by it (multiplied where negative); 1 = off. */
  readonly repetition_penalty?: number;
  /** −2 to 2, subtracted from a token's logit as often as the completion has the token. Default 0. */
  readonly frequency_penalty?: number;
  /** −2 to 2, subtracted once from the logits of tokens that the completion has. Default 0. */
  readonly presence_penalty?: number;
  /** Token id → −100 to 100, added to its logit; −100 bans the token. At most 300 tokens. */
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly seed?: number;
  /** The model's own end token does not end the completion. */
  readonly ignore_eos?: boolean;
  /** Further token ids that end the completion. At most 64. */
  readonly stop_token_ids?: readonly number[];
  /** Before so many tokens, none that ends the completion is chosen (stop strings end it all the same). Default 0. */
  readonly min_tokens?: number;
  /** Report how probable the model found each token, before penalties, biases, temperature and cuts. */
  readonly logprobs?: boolean;
  /** With `logprobs`: report the most probable tokens too, 0 to 20 of them. Default 0. */
  readonly top_logprobs?: number;
  /**
   * 'auto': while the request runs alone and where it pays, what stood behind the same words before is tried as a draft,
   * several tokens a step. The tokens are the same. 'always': whether it pays or not. Default 'auto'.
   */
  readonly speculative?: 'auto' | 'always' | 'off';
}

/** OpenAI's chat request, as far as this engine answers it. */
export interface ChatRequest extends SamplingRequest {
  readonly messages: readonly ChatMessage[];
  /**
   * The last message is the assistant's, and the answer goes on right behind its text. Of a model that thinks, this text is
   * all that it wrote, its thinking included. Default false.
   */
  readonly continue_final_message?: boolean;
  /** Longest completion, in tokens. */
  readonly max_tokens?: number;
  readonly stop?: string | readonly string[];
  /** Texts that the answer may not contain, as tokens: each is banned as it stands and with a space before it. */
  readonly bad_words?: readonly string[];
  /** Answers to the same prompt, which is computed once. Answer i draws with seed + i. Default 1, at most 64. */
  readonly n?: number;
  /** Larger goes first, and may take the place of a smaller one. Default 0. */
  readonly priority?: number;
  /**
   * Any name for the conversation that this is a turn of: what was computed for it stays on the GPU until the memory is
   * needed, so that the next turn computes only what is new. Works without it too, for as long as nothing else comes between.
   */
  readonly session?: string;
  /** False: neither use what earlier requests have computed nor leave anything to later ones. Default true. */
  readonly cache_prompt?: boolean;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: {
    /** Prompt tokens that were not computed, because an earlier request had left their keys and values on the GPU. */
    readonly cached_tokens: number;
  };
}

/** Times of one request, in milliseconds from its arrival at the engine. */
export interface Timings {
  readonly ttftMs: number;
  /** End to end. */
  readonly totalMs: number;
  /** Mean time of a completion token after the first: also the mean of the times between tokens. */
  readonly tpotMs: number;
  /** 95 of 100 times between tokens are no longer. */
  readonly itlP95Ms: number;
  /** Prompt tokens per second of prefill, those that were cached left out. */
  readonly prefillTokensPerSecond: number;
  /** Completion tokens after the first, per second. */
  readonly decodeTokensPerSecond: number;
  /** Tokens of drafts (see `speculative`), and how many of them were right. */
  readonly draftTokens: number;
  readonly acceptedDraftTokens: number;
}

/** OpenAI's shape. `bytes` are the token's own, which may be part of a character: then `token` shows U+FFFD. */
export interface TokenChoice {
  readonly token: string;
  /** Natural logarithm of the model's probability. */
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface TokenReport extends TokenChoice {
  readonly top_logprobs: readonly TokenChoice[];
}

/**
 * OpenAI's chat.completion.chunk. The last one of an answer carries finish_reason, and usage and timings of that answer.
 */
export interface ChatChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly [
    {
      /** Which of the `n` answers. */
      readonly index: number;
      readonly delta: { readonly role?: 'assistant'; readonly content?: string };
      /** Of tokens up to this chunk that no earlier one reported: text may be held back longer than its tokens. */
      readonly logprobs?: { readonly content: readonly TokenReport[] };
      readonly finish_reason: FinishReason | null;
    },
  ];
  readonly usage?: Usage;
  readonly timings?: Timings;
}

export interface GpuInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly features: readonly string[];
  readonly subgroupSize: number;
  readonly f16: boolean;
}

export interface EngineStats {
  readonly model: ModelInfo | null;
  readonly gpu: GpuInfo | null;
  readonly running: number;
  readonly waiting: number;
  readonly kvBlocksTotal: number;
  /** Held by requests that run. */
  readonly kvBlocksUsed: number;
  /** Free to be reused, or kept for a session; their contents can still be found. */
  readonly kvBlocksCached: number;
  /** Nothing is known of their contents. */
  readonly kvBlocksFree: number;
  readonly kvBlockTokens: number;
  /** Prompt tokens of all requests, and how many of them did not have to be computed. */
  readonly promptTokens: number;
  readonly prefixHitTokens: number;
  /** Sequences that had to give up their blocks and were computed again. */
  readonly numPreemptions: number;
  /** Tokens of drafts (see `speculative`) of all requests, and how many of them were right. */
  readonly draftTokens: number;
  readonly acceptedDraftTokens: number;
  /** Mean of all steps, tokens of prompts and completions alike. */
  readonly tokensPerStep: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly stepsSubmitted: number;
  readonly tokensGenerated: number;
  /** False while the loaded model still compiles for later steps, or tries out what is fastest on this card. */
  readonly isTuned: boolean;
  readonly dispatchesPerDecodeStep: number;
  readonly bindingsPerDispatch: number;
  /** Bytes of weights that a decode step reads, however many sequences it has. */
  readonly weightBytesPerStep: number;
  /** Bytes of keys and values of one token in all layers. */
  readonly kvBytesPerToken: number;
}

/** Teacher-forced logits of `ids`, for verification and evaluation. */
export interface ScoreRequest {
  readonly ids: readonly number[];
  /** 'last': logits of the last position only. 'all': every position. */
  readonly positions: 'last' | 'all';
}

export interface ScoreResult {
  readonly vocabSize: number;
  /** Row-major [positions][vocabSize], f32. */
  readonly logits: Float32Array;
}

/** Raw completion from token ids, for verification and benchmarks. */
export interface GenerateRequest extends SamplingRequest {
  readonly ids: readonly number[];
  readonly max_tokens: number;
  /** Token ids that may not follow each other: the last is banned where the others stand. At most 128 words, 512 ids. */
  readonly bad_words?: readonly (readonly number[])[];
  readonly priority?: number;
  readonly session?: string;
  readonly cache_prompt?: boolean;
}

/** How probable the model found an id, and which it found the most probable. Natural logarithms. */
export interface IdReport {
  readonly logprob: number;
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

export interface GenerateResult {
  readonly ids: readonly number[];
  /** Of every id, with `logprobs`. */
  readonly logprobs?: readonly IdReport[];
  readonly finish_reason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** What a step computes; default: one decode row. */
export interface StepShape {
  readonly decodeRows: number;
  /** Of a prompt that goes on at the same position; 0: none. */
  readonly chunkTokens: number;
}

/** GPU time of one kernel launch. */
export interface KernelTime {
  readonly kernel: string;
  readonly microseconds: number;
}

/** Conversations whose keys and values are kept in the browser's storage. */
export interface SavedConversations {
  readonly count: number;
  readonly bytes: number;
}
