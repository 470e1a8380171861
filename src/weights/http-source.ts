import { TabmindError } from '../errors';
import {
  htmlInstead,
  noRanges,
  notFound,
  refused,
  shorterThanSaid,
  unknownSize,
  unreachable,
} from './http-errors';
import type { ModelSource } from './source';

export interface HttpSourceOptions {
  readonly fetch?: typeof fetch;
  /** Requests made for one piece before giving up. Default 4. */
  readonly maxTries?: number;
  /** Pause after the first failure; doubles each time. Default 500. */
  readonly retryDelayMs?: number;
  /** Largest file that is held in memory when the server ignores Range. Default 64 MiB. */
  readonly maxWholeBytes?: number;
}

const RETRY_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const MAX_RETRY_AFTER_MS = 30_000;

/** The checkpoint in a folder on a web server, read with range requests. `url` must be absolute. */
export function createHttpSource(id: string, url: string, options: HttpSourceOptions = {}): ModelSource {
  return new HttpSource(id, url, options);
}

class HttpSource implements ModelSource {
  readonly id: string;
  readonly #folder: URL;
  readonly #fetch: typeof fetch;
  readonly #maxTries: number;
  readonly #retryDelayMs: number;
  readonly #maxWholeBytes: number;
  /** The one file kept whole for a server without ranges. */
  #whole: { readonly path: string; readonly bytes: Promise<Uint8Array<ArrayBuffer>> } | null = null;

  constructor(id: string, url: string, options: HttpSourceOptions) {
    if (!URL.canParse(url))
      throw new TabmindError('bad-request', `The address of the model is not an absolute URL: ${url}`, {
        remedy: 'Give the address of the folder that holds config.json.',
        details: { url },
      });
    this.id = id;
    this.#folder = new URL(url);
    if (!this.#folder.pathname.endsWith('/')) this.#folder.pathname += '/';
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#maxTries = options.maxTries ?? 4;
    this.#retryDelayMs = options.retryDelayMs ?? 500;
    this.#maxWholeBytes = options.maxWholeBytes ?? 64 * 2 ** 20;
  }

  async readText(path: string, signal?: AbortSignal): Promise<string> {
    const text = await this.#text(path, signal);
    if (typeof text === 'string') return text;
    throw text;
  }

  async tryReadText(path: string, signal?: AbortSignal): Promise<string | null> {
    const text = await this.#text(path, signal);
    return typeof text === 'string' ? text : null;
  }

  size(path: string, signal?: AbortSignal): Promise<number | null> {
    const init = { headers: { Range: 'bytes=0-0' }, cache: 'no-store' } as const;
    return this.#request(path, init, signal, async (response, url) => {
      if (isAbsent(response) || isHtml(response)) return discard(response, null);
      const total = /\/(\d+)\s*$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
      if ((response.status === 206 || response.status === 416) && total !== undefined)
        return discard(response, Number(total));
      if (response.status === 200) {
        const length = plainLength(response);
        return length === null
          ? (await this.#keepWhole(path, response, url)).length
          : discard(response, length);
      }
      await discard(response, null);
      if (response.status !== 206 && response.status !== 416) throw refused(url, response.status);
      return this.#sizeByHead(path, signal);
    });
  }

  async readRange(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (end <= start) return new Uint8Array(0);
    if (this.#whole?.path === path) {
      // when the shared download fails, the request below tries again and reports
      const whole = await this.#whole.bytes.catch(() => null);
      if (whole) return slice(whole, start, end, this.#url(path));
    }
    const init = { headers: { Range: `bytes=${start}-${end - 1}` }, cache: 'no-store' } as const;
    return this.#request(path, init, signal, async (response, url) => {
      if (isAbsent(response)) throw await discard(response, notFound(url));
      if (response.status === 416) throw await discard(response, shorterThanSaid(url, start, end));
      if (response.ok && isHtml(response)) throw await discard(response, htmlInstead(url));
      if (response.status === 200) return slice(await this.#keepWhole(path, response, url), start, end, url);
      if (response.status !== 206) throw await discard(response, refused(url, response.status));
      const bytes = new Uint8Array(await response.arrayBuffer());
      // an ordinary error: a cut connection is worth another try
      if (bytes.length !== end - start)
        throw new Error(`${bytes.length} bytes came instead of ${end - start}`);
      return bytes;
    });
  }

  /** The text, or the error that says that it is not there. */
  #text(path: string, signal?: AbortSignal): Promise<string | TabmindError> {
    return this.#request(path, { cache: 'no-cache' }, signal, async (response, url) => {
      if (isAbsent(response)) return discard(response, notFound(url));
      if (!response.ok) throw await discard(response, refused(url, response.status));
      const text = await response.text();
      return isHtml(response) || /^\s*<(!doctype html|html[\s>])/i.test(text) ? htmlInstead(url) : text;
    });
  }

  #sizeByHead(path: string, signal?: AbortSignal): Promise<number> {
    return this.#request(path, { method: 'HEAD', cache: 'no-store' }, signal, async (response, url) => {
      const length = plainLength(response);
      if (!response.ok) throw refused(url, response.status);
      if (length === null) throw unknownSize(url);
      return length;
    });
  }

  /** Keeps the file of a server that ignores Range, for the pieces still to be asked for. */
  async #keepWhole(path: string, response: Response, url: string): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#whole?.path === path) return discard(response, await this.#whole.bytes);
    const bytes = readAtMost(response, this.#maxWholeBytes, url);
    const whole = { path, bytes };
    this.#whole = whole;
    try {
      return await bytes;
    } catch (thrown) {
      if (this.#whole === whole) this.#whole = null;
      throw thrown;
    }
  }

  #url(path: string): string {
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.#folder).href;
  }

  /** One request with retries. `consume` throws TabmindError for a final failure, anything else to try again. */
  async #request<T>(
    path: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    consume: (response: Response, url: string) => Promise<T>,
  ): Promise<T> {
    const url = this.#url(path);
    for (let numTries = 1; ; numTries++) {
      let failure: unknown;
      let delayMs = this.#retryDelayMs * 2 ** (numTries - 1);
      try {
        const response = await this.#fetch(url, signal ? { ...init, signal } : init);
        if (!RETRY_STATUS.has(response.status)) return await consume(response, url);
        failure = new Error(`status ${response.status}`);
        delayMs = Math.max(delayMs, retryAfterMs(response));
        await discard(response, null);
      } catch (thrown) {
        signal?.throwIfAborted();
        if (thrown instanceof TabmindError) throw thrown;
        failure = thrown;
      }
      if (numTries >= this.#maxTries) throw unreachable(url, numTries, failure);
      await pause(delayMs, signal);
    }
  }
}

function isAbsent(response: Response): boolean {
  return response.status === 404 || response.status === 410;
}

function isHtml(response: Response): boolean {
  return /^text\/html\b/i.test(response.headers.get('Content-Type') ?? '');
}

/** Content-Length where it is the length of the file itself. */
function plainLength(response: Response): number | null {
  const length = response.headers.get('Content-Length');
  const isEncoded = (response.headers.get('Content-Encoding') ?? 'identity') !== 'identity';
  return length === null || isEncoded || !/^\d+$/.test(length) ? null : Number(length);
}

/** Lets go of the body, so that the connection is free, and hands `result` on. */
async function discard<T>(response: Response, result: T): Promise<T> {
  await response.body?.cancel();
  return result;
}

async function readAtMost(
  response: Response,
  maxBytes: number,
  url: string,
): Promise<Uint8Array<ArrayBuffer>> {
  if ((plainLength(response) ?? 0) > maxBytes) throw await discard(response, noRanges(url, maxBytes));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    total += value.length;
    if (total > maxBytes) {
      await reader.cancel();
      throw noRanges(url, maxBytes);
    }
    pieces.push(value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function slice(
  whole: Uint8Array<ArrayBuffer>,
  start: number,
  end: number,
  url: string,
): Uint8Array<ArrayBuffer> {
  if (whole.length < end) throw shorterThanSaid(url, start, end);
  return whole.slice(start, end);
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('Retry-After') ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0;
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
