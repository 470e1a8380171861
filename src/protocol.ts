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
      readonly finish_reason: FinishReason | null;
    },
  ];
  readonly usage?: Usage;
  readonly timings?: Timings;
}

export type WeightBits = 4 | 8 | 16;
export type KvBits = 4 | 8 | 16 | 32;

interface ModelName {
  /** Shown to people and used as the cache key together with `revision`. */
  readonly id: string;
  /** Branch, tag or commit; of a plain folder, any name for what lies there, which is believed without asking the server. */
  readonly revision?: string;
}

/**
 * A folder on a web server; relative URLs resolve against the page. A page of a known hub
 * (https://huggingface.co/owner/name, any tab of it) counts as that repository.
 */
export interface UrlModel extends ModelName {
  readonly kind?: 'url';
  readonly url: string;
}

/** A repository of a model hub; `id` is `owner/name` or `owner/name@revision`. */
export interface HubModel extends ModelName {
  readonly kind: 'hub';
  /** Default 'huggingface'. A base URL may be any server that speaks like huggingface.co. */
  readonly host?: HubPreset | URL['href'];
}

/** Hubs known by name: huggingface.co, hf-mirror.com, modelscope.cn. */
export type HubPreset = 'huggingface' | 'hf-mirror' | 'modelscope';

/** A folder on this computer: what a directory picker gave, or the files of a drop or of an `<input webkitdirectory>`. */
export interface FolderModel extends ModelName {
  readonly kind: 'folder';
  readonly files: FileSystemDirectoryHandle | readonly File[] | readonly FolderFile[];
}

/** A file with its place, because a File loses its path on the way to the worker. */
export interface FolderFile {
  readonly path: string;
  readonly file: File;
}

/** Shapes of known models, for random weights. */
export type RandomShape =
  | 'qwen2.5-0.5b'
  | 'qwen2.5-1.5b'
  | 'qwen2.5-7b'
  | 'llama-3.1-8b'
  | 'qwen3-0.6b'
  | 'qwen3-1.7b'
  | 'qwen3-4b'
  | 'qwen3-8b'
  | 'internlm2-1.8b';

/**
 * No checkpoint: weights drawn on the GPU in the shape of a known model, as fast as that model and of no other use.
 * Nothing is downloaded or cached, and there is no tokenizer.
 */
export interface RandomModel extends ModelName {
  readonly kind: 'random';
  readonly shape: RandomShape;
  /** Whole number, 0 to 2³² − 1. Default 0. */
  readonly seed?: number;
}

/** Where a checkpoint lies. */
export type ModelRef = UrlModel | HubModel | FolderModel | RandomModel;

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
  /**
   * Share of the graphics memory that is left beside the weights for the KV pool, above 0, at most 1; `kvPoolMiB` goes
   * before it. The rest is for other programs: 0.8 is much.
   */
  readonly cacheMaxEntryCount?: number;
  /** Sequences that may decode together. Default 8, at most 64. */
  readonly maxSequences?: number;
  /** 'auto' uses f16 arithmetic where the adapter offers it. Default 'auto'. */
  readonly math?: 'auto' | 'f32' | 'f16';
  /** Off: never read or write the IndexedDB cache. Default true. */
  readonly cache?: boolean;
  /** Access token for gated and private repositories: sent to the model's hub and nowhere else, and never stored. */
  readonly token?: string;
}

export type LoadPhase = 'inspect' | 'download' | 'convert' | 'read-cache' | 'compile' | 'ready';

/** 'download' counts checkpoint bytes fetched and converted as they stream; 'read-cache' counts cached bytes. */
export interface LoadProgress {
  readonly phase: LoadPhase;
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Mean of the last seconds; unset until there is enough to tell. */
  readonly bytesPerSecond?: number;
  /** Of this phase, at that speed. */
  readonly secondsLeft?: number;
  /** Set while the load stands still because of `pause()`. */
  readonly paused?: true;
}

/** 'tight': it fits, but nothing else of size does while it loads. */
export type Fit = 'fits' | 'tight' | 'too-big';

/** What a model would need, found out without downloading its weights. Sizes in bytes. */
export interface Inspection {
  readonly id: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly contextLength: number;
  /** The model is in the cache: nothing has to be downloaded. */
  readonly cached: boolean;
  /** To be downloaded; 0 when cached. */
  readonly checkpointBytes: number;
  /** Weights in GPU memory, and in the cache. */
  readonly packedBytes: number;
  /** The KV pool at this context length and these bits. */
  readonly kvBytes: number;
  /** Activations and step state. */
  readonly scratchBytes: number;
  /** Further GPU memory while the checkpoint is being converted; 0 when cached. */
  readonly conversionBytes: number;
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
  readonly fits: Fit;
  /** The verdict in words, with its numbers. */
  readonly reason: string;
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
  /** Mean of all steps, tokens of prompts and completions alike. */
  readonly tokensPerStep: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly stepsSubmitted: number;
  readonly tokensGenerated: number;
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
  readonly priority?: number;
  readonly session?: string;
  readonly cache_prompt?: boolean;
}

export interface GenerateResult {
  readonly ids: readonly number[];
  readonly finish_reason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** GPU time of one kernel launch. */
export interface KernelTime {
  readonly kernel: string;
  readonly microseconds: number;
}

export interface CachedModel {
  readonly key: string;
  readonly id: string;
  readonly revision: string;
  readonly bytes: number;
  /** False for a download that was cut short. */
  readonly complete: boolean;
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
  /** The load in progress begins no further read until `resumeLoad`. Without one, nothing happens. */
  pauseLoad(): Promise<void>;
  resumeLoad(): Promise<void>;
  /** Reads config and headers only, and tries whether the GPU gives the memory. Rejects for what `load` would refuse. */
  inspect(model: ModelRef, options: LoadOptions): Promise<Inspection>;
  unload(): Promise<void>;
  chat(
    requestId: string,
    request: ChatRequest,
    onChunk: (chunks: readonly ChatChunk[]) => void | Promise<void>,
  ): Promise<void>;
  /**
   * `tokens` gets the ids of the completion (number[]) as they are read back. A port, because a proxy's answers would take
   * the worker's time: about 35 µs a call against 7.
   */
  generate(requestId: string, request: GenerateRequest, tokens?: MessagePort): Promise<GenerateResult>;
  score(request: ScoreRequest): Promise<ScoreResult>;
  profile(position: number): Promise<readonly KernelTime[]>;
  /** Bytes per second at which the GPU reads memory when it does nothing else. */
  measureReadSpeed(): Promise<number>;
  abort(requestId: string): Promise<void>;
  /** Gives up what a session holds on the GPU; what it has saved stays. */
  dropSession(session: string): Promise<void>;
  /** Keeps what a session holds on the GPU in the browser's storage; false when it holds nothing. */
  saveSession(session: string): Promise<boolean>;
  /**
   * Brings a saved session back to the GPU. Resolves to the tokens that need not be computed again: 0 when it was not
   * saved, by another model or with other bits, or is damaged, or there is no room. The next turn works all the same.
   */
  restoreSession(session: string): Promise<number>;
  /** Removes a session from the GPU and from the storage. */
  deleteSession(session: string): Promise<void>;
  stats(): Promise<EngineStats>;
  tokenize(text: string): Promise<readonly number[]>;
  /** Token ids of a rendered conversation, generation prompt included. */
  renderChat(messages: readonly ChatMessage[]): Promise<readonly number[]>;
  listCached(): Promise<readonly CachedModel[]>;
  deleteCached(key: string): Promise<void>;
}
