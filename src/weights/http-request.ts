import { TabmindError } from '../errors';
import { BufferPool } from './buffer-pool';
import { streamPieces } from './byte-stream';
import { askedToWait, unreachable } from './http-errors';

export interface HttpOptions {
  readonly fetch?: typeof fetch;
  /** Requests in a row that bring nothing before giving up. Default 4. */
  readonly maxTries?: number;
  /** Pause after the first failure; doubles each time. Default 500. */
  readonly retryDelayMs?: number;
  /** Longest wait for the next byte before the connection counts as dead. Default 30 000. */
  readonly stallMs?: number;
  /** Longest wait that a server may ask for with Retry-After. Default 60 000. */
  readonly maxRetryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One answer, with what is needed to read it to its end. */
export interface Answer {
  readonly response: Response;
  readonly url: string;
  /** The pieces of the body, each valid until the next; a connection that falls silent is an ordinary error. */
  pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;
  text(): Promise<string>;
  /** Lets go of the body, so that the connection is free, and hands `result` on. */
  discard<T>(result: T): Promise<T>;
}

export interface HttpCall<T> {
  readonly url: string;
  /** Made anew for each try: later ones may ask for less. */
  init(): RequestInit;
  readonly signal?: AbortSignal | undefined;
  /** Throws TabmindError for a final failure, anything else to try again. */
  consume(answer: Answer): Promise<T>;
  /** Bytes kept so far. A try that brings `MIN_PROGRESS_BYTES` more is not counted as a failure. */
  progress?(): number;
}

const RETRY_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Without a least amount, a server that cuts after every byte would be asked forever. */
const MIN_PROGRESS_BYTES = 64 * 1024;
const MAX_DELAY_MS = 15_000;
/** As much as a browser has at hand for one read of a fast connection. */
const PIECE_BYTES = 512 * 1024;
/** Answers read at once: browsers hold no more connections to a host. */
const MAX_ANSWERS = 6;

/** Requests with retries, backoff and a watch on silence. Holds no connection. */
export class HttpClient {
  readonly #options: HttpOptions;
  readonly #fetch: typeof fetch;
  readonly #pool = new BufferPool(PIECE_BYTES, MAX_ANSWERS);

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** Throws `network` when the tries are used up, and the signal's reason when it is aborted. */
  async request<T>(call: HttpCall<T>): Promise<T> {
    const { maxTries = 4, retryDelayMs = 500 } = this.#options;
    for (let numTries = 1; ; numTries++) {
      const before = call.progress?.() ?? 0;
      const { result, failure, waitMs } = await this.#try(call);
      if (result) return result.value;
      if ((call.progress?.() ?? 0) - before >= MIN_PROGRESS_BYTES) numTries = 0;
      else if (numTries >= maxTries) throw unreachable(call.url, numTries, failure);
      const delayMs = Math.min(MAX_DELAY_MS, retryDelayMs * 2 ** Math.max(0, numTries - 1));
      await pause(Math.max(delayMs, waitMs), call.signal);
    }
  }

  async #try<T>(call: HttpCall<T>): Promise<Try<T>> {
    const { stallMs = 30_000, maxRetryAfterMs = 60_000, headers } = this.#options;
    const { url, signal } = call;
    signal?.throwIfAborted();
    const watch = new SilenceWatch(stallMs, signal);
    try {
      const init = call.init();
      const all = { ...init, headers: { ...headers, ...init.headers }, signal: watch.signal };
      const response = await this.#fetch(url, all);
      watch.heard();
      const answer = readable(response, url, watch, this.#pool);
      if (!RETRY_STATUS.has(response.status))
        return { result: { value: await call.consume(answer) }, waitMs: 0 };
      const waitMs = retryAfterMs(response);
      await answer.discard(null);
      if (waitMs > maxRetryAfterMs) throw askedToWait(url, response.status, waitMs);
      return { failure: new Error(`status ${response.status}`), waitMs };
    } catch (thrown) {
      signal?.throwIfAborted();
      if (thrown instanceof TabmindError) throw thrown;
      return { failure: thrown, waitMs: 0 };
    } finally {
      watch.end();
    }
  }
}

interface Try<T> {
  readonly result?: { readonly value: T };
  readonly failure?: unknown;
  /** What the server asks for, ms. */
  readonly waitMs: number;
}

/** Aborts its signal when nothing is heard for a while, or with the outer signal. */
class SilenceWatch {
  readonly #controller = new AbortController();
  readonly #stallMs: number;
  readonly #outer: AbortSignal | undefined;
  readonly #stop = () => this.#controller.abort(this.#outer?.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stallMs: number, outer: AbortSignal | undefined) {
    this.#stallMs = stallMs;
    this.#outer = outer;
    outer?.addEventListener('abort', this.#stop, { once: true });
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    clearTimeout(this.#timer);
    const silence = new Error(`no byte came for ${this.#stallMs / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(silence), this.#stallMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#stop);
  }
}

function readable(response: Response, url: string, watch: SilenceWatch, pool: BufferPool): Answer {
  async function* pieces() {
    if (!response.body) return;
    for await (const piece of streamPieces(response.body, pool, PIECE_BYTES)) {
      watch.heard();
      yield piece;
    }
  }
  return {
    response,
    url,
    pieces,
    text: async () => {
      const decoder = new TextDecoder();
      let text = '';
      for await (const piece of pieces()) text += decoder.decode(piece, { stream: true });
      return text + decoder.decode();
    },
    discard: async (result) => {
      await response.body?.cancel();
      return result;
    },
  };
}

/** Seconds or a date; 0 where there is none. */
function retryAfterMs(response: Response): number {
  const value = response.headers.get('Retry-After') ?? '';
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const until = Date.parse(value);
  return Number.isNaN(until) ? 0 : Math.max(0, until - Date.now());
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
