/** The words spoken across the wall between the page and the worker: types only. */

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
}

/** OpenAI's chat request, as far as this engine answers it. Unset fields take the model's generation_config. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  /** Longest completion, in tokens. */
  readonly max_tokens?: number;
  /** 0 = greedy. */
  readonly temperature?: number;
  readonly top_p?: number;
  /** 0 = off. */
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
  readonly ignore_eos?: boolean;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** Times of one request, in milliseconds from its arrival at the engine. */
export interface Timings {
  readonly ttftMs: number;
  readonly totalMs: number;
  /** Prompt tokens per second of prefill. */
  readonly prefillTokensPerSecond: number;
  /** Completion tokens after the first, per second. */
  readonly decodeTokensPerSecond: number;
}

/** OpenAI's chat.completion.chunk. The last one carries finish_reason, usage and timings. */
export interface ChatChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly [
    {
      readonly index: 0;
      readonly delta: { readonly role?: 'assistant'; readonly content?: string };
      readonly finish_reason: FinishReason | null;
    },
  ];
  readonly usage?: Usage;
  readonly timings?: Timings;
}

export type WeightBits = 4 | 8 | 16;
export type KvBits = 4 | 8 | 16 | 32;

/** Where a checkpoint lies: a folder URL (relative ones resolve against the page). */
export interface ModelRef {
  /** Shown to people and used as the cache key together with `revision`. */
  readonly id: string;
  readonly url: string;
  readonly revision?: string;
}

export interface LoadOptions {
  /** Bits of the packed linears made from float checkpoints. Default 4. */
  readonly weightBits?: WeightBits;
  /** Bits of the embedding and output head. Default 8 (16 when weightBits is 16). */
  readonly headBits?: WeightBits;
  /** Bits of a cached key or value element. Default 8. 32 exists for verification. */
  readonly kvBits?: KvBits;
  /** Longest sequence, in tokens. Default: the model's, at most 8192. */
  readonly contextLength?: number;
  /** MiB of GPU memory for the KV pool. Default: what four full contexts need, at most a quarter of the budget. */
  readonly kvPoolMiB?: number;
  /** Sequences that may decode together. Default 8, at most 64. */
  readonly maxSequences?: number;
  /** 'auto' uses f16 arithmetic where the adapter offers it. Default 'auto'. */
  readonly math?: 'auto' | 'f32' | 'f16';
  /** Off: never read or write the IndexedDB cache. Default true. */
  readonly cache?: boolean;
}

export type LoadPhase = 'inspect' | 'download' | 'convert' | 'read-cache' | 'compile' | 'ready';

/** 'download' counts checkpoint bytes fetched and converted as they stream; 'read-cache' counts cached bytes. */
export interface LoadProgress {
  readonly phase: LoadPhase;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface ModelInfo {
  readonly id: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly weightBytes: number;
  readonly kvBits: KvBits;
  readonly weightBits: WeightBits;
  readonly math: 'f32' | 'f16';
  readonly fromCache: boolean;
  /** Wall time of load(), ms. */
  readonly loadMs: number;
  readonly warnings: readonly string[];
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
  readonly kvBlocksUsed: number;
  readonly kvBlockTokens: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly stepsSubmitted: number;
  readonly tokensGenerated: number;
  readonly dispatchesPerDecodeStep: number;
  readonly bindingsPerDispatch: number;
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
export interface GenerateRequest {
  readonly ids: readonly number[];
  readonly max_tokens: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly seed?: number;
  readonly ignore_eos?: boolean;
}

export interface GenerateResult {
  readonly ids: readonly number[];
  readonly finish_reason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
}

export interface CachedModel {
  readonly key: string;
  readonly id: string;
  readonly bytes: number;
}

/** What the worker exposes. Callbacks are Comlink proxies. */
export interface WorkerApi {
  load(
    model: ModelRef,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<ModelInfo>;
  /** Makes a load in progress reject with code 'cancelled'; what is cached so far stays. */
  cancelLoad(): Promise<void>;
  unload(): Promise<void>;
  chat(
    requestId: string,
    request: ChatRequest,
    onChunk: (chunks: readonly ChatChunk[]) => void,
  ): Promise<void>;
  generate(requestId: string, request: GenerateRequest): Promise<GenerateResult>;
  score(request: ScoreRequest): Promise<ScoreResult>;
  abort(requestId: string): Promise<void>;
  stats(): Promise<EngineStats>;
  tokenize(text: string): Promise<readonly number[]>;
  /** Token ids of a rendered conversation, generation prompt included. */
  renderChat(messages: readonly ChatMessage[]): Promise<readonly number[]>;
  listCached(): Promise<readonly CachedModel[]>;
  deleteCached(key: string): Promise<void>;
}
