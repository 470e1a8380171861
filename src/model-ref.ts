/** What a model is called, how it is loaded, and what is known of it: types only. */

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

/** All workgroups must be able to run at once. */
export interface ResidentTile {
  readonly workgroups: number;
  /** Threads of a workgroup; a power of two. */
  readonly threads: number;
  /** Units of 32 weights of each of its two streams that a thread has on their way. */
  readonly depth: number;
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
  /**
   * Share of the graphics memory that is left beside the weights for the KV pool, above 0, at most 1; `kvPoolMiB` goes
   * before it. The rest is for other programs: 0.8 is much.
   */
  readonly cacheMaxEntryCount?: number;
  /** Sequences that may decode together. Default 8, at most 64. */
  readonly maxSequences?: number;
  /** 'auto' uses f16 arithmetic where the adapter offers it. Default 'auto'. */
  readonly math?: 'auto' | 'f32' | 'f16';
  /**
   * How the dispatch that computes all layers of a decode step is cut; null: every kernel has a dispatch of its own.
   * Default: what is fastest on this graphics card, tried out at the first load and kept with the model in the cache.
   */
  readonly resident?: ResidentTile | null;
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

/**
 * What stands in the way: graphics memory; the context, in a card that has room for the weights; the size of one buffer,
 * which no free memory mends; room in the browser's storage.
 */
export type FitLimit = 'memory' | 'context' | 'buffer' | 'storage' | null;

/** What the graphics card has room for, whatever the model. */
export interface GpuRoom {
  /** Given when asked, together with what the loaded model holds; no more than `mostBytes` was asked for. */
  readonly freeBytes: number;
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  /** A program on the CPU stands in for a graphics card. */
  readonly isSoftware: boolean;
}

/** What a model would need, found out without downloading its weights. Sizes in bytes. */
export interface Inspection {
  readonly id: string;
  readonly architecture: string;
  readonly parameters: number;
  readonly contextLength: number;
  /** What the model is made for. */
  readonly maxContextLength: number;
  /** Without a tokenizer.json, the model takes token ids only: no chat. */
  readonly hasTokenizer: boolean;
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
  /** null when it fits. */
  readonly limit: FitLimit;
  /** The verdict in words, with its numbers. */
  readonly reason: string;
}

/** How fast stored weights came back: bytes / totalMs is what was read, checked and uploaded. */
export interface CacheRead {
  readonly bytes: number;
  readonly totalMs: number;
  /** Of that, waiting for the storage and for the checksums of what it gave. */
  readonly readMs: number;
  /** Of that, copying to the GPU and waiting for it. */
  readonly uploadMs: number;
}

/** What the model's generation_config.json says about sampling: what a request gets that does not say otherwise. */
export interface GenerationDefaults {
  /** 0 = greedy. */
  readonly temperature: number;
  /** 0 = off. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly minNewTokens: number;
  /** null: as long as the context has room. */
  readonly maxNewTokens: number | null;
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
  readonly defaults: GenerationDefaults;
  readonly fromCache: boolean;
  /** null unless all weights came from the cache. */
  readonly cacheRead: CacheRead | null;
  /** Wall time of load(), ms. */
  readonly loadMs: number;
  readonly warnings: readonly string[];
}

/** Weights in the browser's storage. */
export interface CachedModel {
  readonly key: string;
  readonly id: string;
  readonly revision: string;
  /** Of this version and packing, as far as they are there. */
  readonly bytes: number;
  /** False: a download that was cut short; loading the model again goes on with it. */
  readonly complete: boolean;
  readonly weightBits: WeightBits;
  /** When it became complete, Unix ms; null for an unfinished one and where it is not known. */
  readonly convertedAt: number | null;
}
