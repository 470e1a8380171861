import { TabmindError } from '../errors';
import type { BufferPool } from './buffer-pool';
import { sha256 } from './digest';
import {
  fileChanged,
  htmlInstead,
  noRanges,
  notFound,
  refused,
  shorterThanSaid,
  unknownSize,
} from './http-errors';
import { type Answer, HttpClient, type HttpOptions } from './http-request';
import { RangeReader } from './range-reader';
import type { VersionedSource } from './versioned-source';

export interface HttpSourceOptions extends HttpOptions {
  /** Largest file that is held in memory when the server ignores Range. Default 64 MiB. */
  readonly maxWholeBytes?: number;
  /** Words for a status that is neither success nor absence. Default: `refused`. */
  readonly refuse?: (url: string, status: number) => TabmindError;
}

/** The checkpoint in a folder on a web server, read with range requests. `url` must be absolute. */
export function createHttpSource(id: string, url: string, options: HttpSourceOptions = {}): VersionedSource {
  return new HttpSource(id, url, options);
}

class HttpSource implements VersionedSource {
  readonly id: string;
  readonly #folder: URL;
  readonly #client: HttpClient;
  readonly #options: HttpSourceOptions;
  /** By path: what the server called the version that was read first, and its size. */
  readonly #seen = new Map<string, Seen>();
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
    this.#client = new HttpClient(options);
    this.#options = options;
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
    return this.#request(path, init, signal, async (answer) => {
      const { response, url } = answer;
      if (isAbsent(response) || isHtml(response)) return answer.discard(null);
      const total = totalOf(response);
      if ((response.status === 206 || response.status === 416) && total !== null) {
        this.#check(path, url, response, total);
        return answer.discard(total);
      }
      if (response.status === 200) {
        const length = plainLength(response);
        return length === null ? (await this.#keepWhole(path, answer)).length : answer.discard(length);
      }
      await answer.discard(null);
      if (response.status !== 206 && response.status !== 416) throw this.#refused(answer);
      return this.#sizeByHead(path, signal);
    });
  }

  /** A piece that is cut off goes on at the byte where it stopped. */
  async readRange(
    path: string,
    start: number,
    end: number,
    signal?: AbortSignal,
    pool?: BufferPool,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (end <= start) return new Uint8Array(0);
    if (this.#whole?.path === path) {
      // when the shared download fails, the request below tries again and reports
      const whole = await this.#whole.bytes.catch(() => null);
      if (whole) return slice(whole, start, end, this.#url(path));
    }
    const reader = new RangeReader(start, end, pool);
    return this.#client.request({
      url: this.#url(path),
      init: () => ({ headers: { Range: reader.header }, cache: 'no-store' }),
      signal,
      progress: () => reader.filled,
      consume: async (answer) => {
        const { response, url } = answer;
        if (isAbsent(response)) throw await answer.discard(notFound(url));
        const total = totalOf(response);
        if (response.status === 206 || response.status === 416) this.#check(path, url, response, total);
        if (response.status === 416) throw await answer.discard(shorterThanSaid(url, start, end));
        if (response.ok && isHtml(response)) throw await answer.discard(htmlInstead(url));
        if (response.status === 200) return slice(await this.#keepWhole(path, answer), start, end, url);
        if (response.status !== 206) throw await answer.discard(this.#refused(answer));
        return reader.read(answer);
      },
    });
  }

  /** From the ETags (or dates) and sizes of config.json and of the weights or their index. */
  async version(signal?: AbortSignal): Promise<string | null> {
    // one try: a start from the cache must not wait for a server that is down
    const client = new HttpClient({ ...this.#options, maxTries: 1, stallMs: 5000 });
    const [config, single] = await Promise.all(
      ['config.json', 'model.safetensors'].map((path) => this.#mark(client, path, signal)),
    );
    const marks = [config, single ?? (await this.#mark(client, 'model.safetensors.index.json', signal))];
    const known = marks.filter((mark) => typeof mark === 'string');
    return known.length === 0 ? null : (await sha256(known.join('\n'))).slice(0, 16);
  }

  /** Name, version and size of a file; null where there is none or the server does not say. */
  #mark(client: HttpClient, path: string, signal: AbortSignal | undefined): Promise<string | null> {
    return client.request({
      url: this.#url(path),
      init: () => ({ method: 'HEAD', cache: 'no-cache' }),
      signal,
      consume: async (answer) => {
        const { response } = answer;
        const mark = response.ok && !isHtml(response) ? validator(response) : null;
        return answer.discard(mark === null ? null : `${path} ${mark} ${plainLength(response)}`);
      },
    });
  }

  /** The text, or the error that says that it is not there. */
  #text(path: string, signal?: AbortSignal): Promise<string | TabmindError> {
    return this.#request(path, { cache: 'no-cache' }, signal, async (answer) => {
      const { response, url } = answer;
      if (isAbsent(response)) return answer.discard(notFound(url));
      if (!response.ok) throw await answer.discard(this.#refused(answer));
      const text = await answer.text();
      return isHtml(response) || /^\s*<(!doctype html|html[\s>])/i.test(text) ? htmlInstead(url) : text;
    });
  }

  #sizeByHead(path: string, signal?: AbortSignal): Promise<number> {
    return this.#request(path, { method: 'HEAD', cache: 'no-store' }, signal, async (answer) => {
      const length = plainLength(answer.response);
      if (!answer.response.ok) throw this.#refused(answer);
      if (length === null) throw unknownSize(answer.url);
      return length;
    });
  }

  /** Keeps the file of a server that ignores Range, for the pieces still to be asked for. */
  async #keepWhole(path: string, answer: Answer): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#whole?.path === path) return answer.discard(await this.#whole.bytes);
    this.#check(path, answer.url, answer.response, plainLength(answer.response));
    const bytes = readAtMost(answer, this.#options.maxWholeBytes ?? 64 * 2 ** 20);
    const whole = { path, bytes };
    this.#whole = whole;
    try {
      return await bytes;
    } catch (thrown) {
      if (this.#whole === whole) this.#whole = null;
      throw thrown;
    }
  }

  /** Throws when this answer is of another version of the file than the one before. */
  #check(path: string, url: string, response: Response, totalBytes: number | null): void {
    // an error answer may carry an ETag of its own
    const now = { mark: response.ok ? validator(response) : null, totalBytes };
    const seen = this.#seen.get(path) ?? now;
    const differs = <T>(a: T | null, b: T | null) => a !== null && b !== null && a !== b;
    if (differs(seen.mark, now.mark) || differs(seen.totalBytes, now.totalBytes)) throw fileChanged(url);
    this.#seen.set(path, { mark: seen.mark ?? now.mark, totalBytes: seen.totalBytes ?? totalBytes });
  }

  #refused({ url, response }: Answer): TabmindError {
    return (this.#options.refuse ?? refused)(url, response.status);
  }

  #url(path: string): string {
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.#folder).href;
  }

  #request<T>(
    path: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    consume: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    return this.#client.request({ url: this.#url(path), init: () => init, signal, consume });
  }
}

interface Seen {
  readonly mark: string | null;
  readonly totalBytes: number | null;
}

/** What the server calls this version of a file. A proxy that recompresses makes a strong ETag weak; both mean the same. */
function validator(response: Response): string | null {
  const tag = response.headers.get('ETag')?.replace(/^W\//, '');
  return tag ?? response.headers.get('Last-Modified');
}

/** Size of the whole file by Content-Range; null where that header is missing, hidden or silent. */
function totalOf(response: Response): number | null {
  const total = /\/(\d+)\s*$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  return total === undefined ? null : Number(total);
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

async function readAtMost(answer: Answer, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { response, url } = answer;
  if ((plainLength(response) ?? 0) > maxBytes) throw await answer.discard(noRanges(url, maxBytes));
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  for await (const piece of answer.pieces()) {
    total += piece.length;
    if (total > maxBytes) throw noRanges(url, maxBytes);
    pieces.push(piece.slice());
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
