import { proxy, type Remote, releaseProxy, wrap } from 'comlink';
import { TabmindError } from './errors';
import { Line } from './line';
import type { FolderFile, Inspection, LoadOptions, LoadProgress, ModelInfo, ModelRef } from './model-ref';
import type { ChatChunk, ChatRequest, GenerateRequest, GenerateResult } from './protocol';
import { Streams } from './streams';
import { carryErrors } from './wall';
import type { StreamMessage, WorkerApi } from './worker-api';

export interface LoadSettings extends LoadOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ChatOptions {
  /** Aborting ends the iteration without an error, with finish_reason 'abort', and frees the sequence's KV blocks. */
  readonly signal?: AbortSignal;
  /** Names the request for `setPriority`; no two live ones may have the same. Default: a name that nobody knows. */
  readonly requestId?: string;
}

export interface GenerateOptions extends ChatOptions {
  /** Called with the ids of the completion as they arrive at the page. */
  readonly onTokens?: (ids: readonly number[]) => void;
}

/** What the worker does just as the page asks it. */
type Forwarded = Pick<
  WorkerApi,
  | 'measureRoom'
  | 'score'
  | 'profile'
  | 'measureReadSpeed'
  | 'tokenize'
  | 'renderChat'
  | 'setPriority'
  | 'dropSession'
  | 'saveSession'
  | 'restoreSession'
  | 'deleteSession'
  | 'savedConversations'
  | 'deleteSavedConversations'
  | 'stats'
  | 'unload'
  | 'listCached'
  | 'deleteCached'
>;

/** The page's handle on the engine. Everything that computes lives in the worker behind it. */
export interface Engine extends Forwarded {
  load(model: ModelRef, settings?: LoadSettings): Promise<ModelInfo>;
  /** The load in progress begins no further read until `resume()`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** What `load` would need, and whether it fits, before any weights are downloaded. */
  inspect(model: ModelRef, options?: LoadOptions): Promise<Inspection>;
  chat(request: ChatRequest, options?: ChatOptions): AsyncIterable<ChatChunk>;
  generate(request: GenerateRequest, options?: GenerateOptions): Promise<GenerateResult>;
  /** Ends the worker; the engine is of no use afterwards. */
  close(): void;
}

/** Starts the worker. It opens the GPU at the first `load`. */
export function createEngine(): Engine {
  carryErrors();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'tabmind' });
  const line = new Line(worker);
  const api = wrap<WorkerApi>(line);
  const streams = new Streams(line);
  const crashed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => reject(workerError(event.message)));
  });
  crashed.catch(() => undefined);
  const call = <T>(work: Promise<T>): Promise<T> => Promise.race([work, crashed]);
  return {
    load: (model, settings = {}) => call(load(api, model, settings)),
    pause: () => call(api.pauseLoad()),
    resume: () => call(api.resumeLoad()),
    inspect: async (model, options = {}) => call(api.inspect(forWorker(model), options)),
    measureRoom: (mostBytes) => call(api.measureRoom(mostBytes)),
    chat: (request, options = {}) => chat({ api, streams, call }, request, options),
    generate: async (request, { signal, onTokens, requestId = crypto.randomUUID() } = {}) => {
      const generate = (stream?: number) => call(api.generate(requestId, request, stream));
      const onItems = (ids: StreamMessage['items']) => onTokens?.(ids as readonly number[]);
      const work = onTokens ? streams.during(onItems, generate) : generate();
      return abortable(signal, () => api.abort(requestId), work);
    },
    score: (request) => call(api.score(request)),
    profile: (position, shape) => call(api.profile(position, shape)),
    measureReadSpeed: () => call(api.measureReadSpeed()),
    tokenize: (text) => call(api.tokenize(text)),
    renderChat: (...conversation) => call(api.renderChat(...conversation)),
    setPriority: (requestId, priority) => call(api.setPriority(requestId, priority)),
    dropSession: (session) => call(api.dropSession(session)),
    saveSession: (session, maxBytes) => call(api.saveSession(session, maxBytes)),
    restoreSession: (session) => call(api.restoreSession(session)),
    deleteSession: (session) => call(api.deleteSession(session)),
    savedConversations: () => call(api.savedConversations()),
    deleteSavedConversations: () => call(api.deleteSavedConversations()),
    stats: () => call(api.stats()),
    unload: () => call(api.unload()),
    listCached: () => call(api.listCached()),
    deleteCached: (key) => call(api.deleteCached(key)),
    close: () => {
      api[releaseProxy]();
      worker.terminate();
    },
  };
}

function workerError(message: string | undefined): TabmindError {
  return new TabmindError('internal', `The engine's worker failed: ${message || 'it could not be started'}`, {
    meaning: 'Nothing can be computed until the page is loaded again. Your conversations are kept.',
    remedy: 'Reload the page.',
  });
}

async function load(api: Remote<WorkerApi>, model: ModelRef, settings: LoadSettings): Promise<ModelInfo> {
  const { onProgress = () => undefined, signal, ...options } = settings;
  if (options.cache !== false) askToPersist();
  return abortable(signal, () => api.cancelLoad(), api.load(forWorker(model), options, proxy(onProgress)));
}

/** What the page alone knows: its address, and the paths of dropped files. */
function forWorker(model: ModelRef): ModelRef {
  if (model.kind === 'hub' || model.kind === 'random') return model;
  if (model.kind !== 'folder') return { ...model, url: new URL(model.url, globalThis.location.href).href };
  const { files } = model;
  return 'kind' in files ? model : { ...model, files: files.map(withPath) };
}

function withPath(entry: File | FolderFile): FolderFile {
  return entry instanceof File ? { path: entry.webkitRelativePath || entry.name, file: entry } : entry;
}

let hasAskedToPersist = false;

/**
 * Asks the browser, once, not to evict the cached models: only a page may. Some browsers show the question to the person,
 * so nothing waits for the answer, and nothing depends on it.
 */
function askToPersist(): void {
  const storage: StorageManager | undefined = globalThis.navigator.storage;
  if (hasAskedToPersist || !storage) return;
  hasAskedToPersist = true;
  // without a reply the cache is used all the same
  storage.persist().catch(() => undefined);
}

async function abortable<T>(
  signal: AbortSignal | undefined,
  abort: () => Promise<void>,
  work: Promise<T>,
): Promise<T> {
  const onAbort = () => void abort();
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  try {
    return await work;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

interface Wall {
  readonly api: Remote<WorkerApi>;
  readonly streams: Streams;
  readonly call: <T>(work: Promise<T>) => Promise<T>;
}

/** Chunks as they arrive. Leaving the loop early (break, throw) aborts the request. */
async function* chat(
  { api, streams, call }: Wall,
  request: ChatRequest,
  { signal, requestId = crypto.randomUUID() }: ChatOptions,
): AsyncGenerator<ChatChunk, void, undefined> {
  const arrived: ChatChunk[] = [];
  let wake: () => void = () => undefined;
  let ended = false;
  const onItems = (chunks: StreamMessage['items']) => {
    arrived.push(...(chunks as readonly ChatChunk[]));
    wake();
  };
  const answered = streams.during(onItems, (stream) => call(api.chat(requestId, request, stream)));
  const work = abortable(signal, () => api.abort(requestId), answered).finally(() => {
    ended = true;
    wake();
  });
  work.catch(() => undefined);
  try {
    while (true) {
      const chunk = arrived.shift();
      if (chunk) yield chunk;
      else if (ended) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    await work;
  } finally {
    if (!ended) await api.abort(requestId);
  }
}
