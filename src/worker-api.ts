import type {
  CachedModel,
  GpuRoom,
  Inspection,
  LoadOptions,
  LoadProgress,
  ModelInfo,
  ModelRef,
} from './model-ref';
import type {
  ChatChunk,
  ChatMessage,
  ChatRequest,
  EngineStats,
  GenerateRequest,
  GenerateResult,
  KernelTime,
  SavedConversations,
  ScoreRequest,
  ScoreResult,
  StepShape,
} from './protocol';

/** What a request gives before its reply: chunks of a chat, or ids of a completion, as they are read back. */
export interface StreamMessage {
  readonly stream: number;
  readonly items: readonly ChatChunk[] | readonly number[];
}

/**
 * Sends items to the stream that the page has named. Not a Comlink proxy, whose answers would take the worker's time: about
 * 35 µs a call.
 */
export type SendItems = (stream: number, items: StreamMessage['items']) => void;

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
  /**
   * Asks the graphics card for memory until it has given `mostBytes` or no more, and gives all back. null while a request
   * runs or a load is under way, which may need that memory at the same moment.
   */
  measureRoom(mostBytes: number): Promise<GpuRoom | null>;
  unload(): Promise<void>;
  /** `stream` gets the answers (ChatChunk[]) as they come. */
  chat(requestId: string, request: ChatRequest, stream: number): Promise<void>;
  /** `stream` gets the ids of the completion (number[]). */
  generate(requestId: string, request: GenerateRequest, stream?: number): Promise<GenerateResult>;
  score(request: ScoreRequest): Promise<ScoreResult>;
  /** GPU time of each kernel of a step at `position`; needs timestamp-query. */
  profile(position: number, shape?: StepShape): Promise<readonly KernelTime[]>;
  /** Bytes per second at which the GPU reads memory when it does nothing else; needs a loaded model. */
  measureReadSpeed(): Promise<number>;
  abort(requestId: string): Promise<void>;
  /** Changes the priority of a request on its way; one that has ended is left alone. */
  setPriority(requestId: string, priority: number): Promise<void>;
  /** Gives up what a session holds on the GPU; what it has saved stays. */
  dropSession(session: string): Promise<void>;
  /**
   * Keeps what a session holds on the GPU in the browser's storage. All that is kept takes at most `maxBytes` afterwards:
   * what was saved longest ago makes room. False when the session holds nothing, or more than that by itself, or another tab
   * saved it at the same moment. Of a session that was saved before, only the new blocks are read back and written.
   */
  saveSession(session: string, maxBytes?: number): Promise<boolean>;
  /**
   * Brings a saved session back to the GPU. Resolves to the tokens that need not be computed again: 0 when it was not
   * saved, by another model or with other bits, or is damaged, or there is no room. The next turn works all the same.
   */
  restoreSession(session: string): Promise<number>;
  /** Removes a session from the GPU and from the storage; needs no loaded model. */
  deleteSession(session: string): Promise<void>;
  /** What saveSession has kept, of whatever model. */
  savedConversations(): Promise<SavedConversations>;
  /** Removes all that saveSession has kept; what is on the GPU stays. */
  deleteSavedConversations(): Promise<void>;
  stats(): Promise<EngineStats>;
  tokenize(text: string): Promise<readonly number[]>;
  /** Token ids of a rendered conversation, generation prompt included; `continuesLast`: see `continue_final_message`. */
  renderChat(messages: readonly ChatMessage[], continuesLast?: boolean): Promise<readonly number[]>;
  listCached(): Promise<readonly CachedModel[]>;
  deleteCached(key: string): Promise<void>;
}
