import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** A file's bytes; of one with a size of its own, only the beginning is there to be read. */
export type HubFile = Uint8Array | string | { readonly beginning: Uint8Array; readonly sizeBytes: number };
export type HubFiles = Readonly<Record<string, HubFile>>;

/** What a test may change while the hub runs. */
export interface HubBehaviour {
  /** Requests without this token are answered with 401. */
  token?: string;
  /** Of every body that holds weights (headers come at once); unset = at once. */
  bytesPerSecond?: number;
  /** Weights bodies that are cut off after half of their bytes, one after another. */
  numCuts?: number;
}

export interface SeenRequest {
  readonly path: string;
  readonly range: string;
  readonly authorization: string;
}

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
/** Before it lies the header of the weights. */
const FIRST_WEIGHT = 4096;
const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'authorization, range',
  'Access-Control-Expose-Headers': 'content-range, content-length, etag, x-error-code',
} as const;

/** A hub in the layout of huggingface.co on a port of its own: listing, files at a commit, byte ranges, ETags. */
export class HubServer {
  readonly behaviour: HubBehaviour = {};
  readonly seen: SeenRequest[] = [];
  /** Bytes of weights that were sent. */
  weightBytes = 0;
  /** Where bodies were cut off. */
  readonly cuts: number[] = [];
  readonly #repositories: Readonly<Record<string, HubFiles>>;
  readonly #server: Server;

  constructor(repositories: Readonly<Record<string, HubFiles>>) {
    this.#repositories = repositories;
    this.#server = createServer((request, response) => {
      // a page that goes away in the middle of a body is no fault of the hub
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.origin;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent(request.url ?? '');
    if (request.method === 'OPTIONS') return void response.writeHead(204, CORS).end();
    const { range = '', authorization = '' } = request.headers;
    this.seen.push({ path, range, authorization });
    const { token } = this.behaviour;
    if (token !== undefined && authorization !== `Bearer ${token}`)
      return void response.writeHead(401, { ...CORS, 'X-Error-Code': 'GatedRepo' }).end();
    const [, listed] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\//.exec(path) ?? [];
    if (listed !== undefined) return this.#list(listed, response);
    const [, name = '', file = ''] = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(path) ?? [];
    const body = this.#repositories[name]?.[file];
    if (body === undefined) return void response.writeHead(404, CORS).end();
    await this.#send(request, response, file, body);
  }

  #list(name: string, response: ServerResponse): void {
    const files = this.#repositories[name];
    if (files === undefined)
      return void response.writeHead(404, { ...CORS, 'X-Error-Code': 'RepoNotFound' }).end();
    const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
    response.writeHead(200, { ...CORS, 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ sha: COMMIT, siblings }));
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    file: HubFile,
  ): Promise<void> {
    const isWhole = typeof file === 'string' || file instanceof Uint8Array;
    const data = Buffer.from(isWhole ? file : file.beginning);
    const sizeBytes = isWhole ? data.length : file.sizeBytes;
    const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first);
    const end = last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      ...CORS,
      'Content-Type': 'application/octet-stream',
      'Content-Length': end - start,
      'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}`,
      ETag: `"${name}"`,
    });
    if (request.method === 'HEAD') return void response.end();
    const isWeights = name.endsWith('.safetensors') && start >= FIRST_WEIGHT;
    const isCut = isWeights && (this.behaviour.numCuts ?? 0) > 0;
    const cut = isCut ? (start + end) >> 1 : end;
    if (isCut) {
      this.behaviour.numCuts = (this.behaviour.numCuts ?? 0) - 1;
      this.cuts.push(cut);
    }
    await this.#write(response, data.subarray(start, cut), isWeights);
    if (isCut) response.destroy();
    else response.end();
  }

  /** In small pieces, so that the pace can change in the middle. */
  async #write(response: ServerResponse, data: Buffer, isWeights: boolean): Promise<void> {
    const pieceBytes = 4 * 1024;
    for (let at = 0; at < data.length && !response.destroyed; at += pieceBytes) {
      const piece = data.subarray(at, at + pieceBytes);
      await new Promise<void>((resolve) => response.write(piece, () => resolve()));
      if (!isWeights) continue;
      this.weightBytes += piece.length;
      const { bytesPerSecond } = this.behaviour;
      if (bytesPerSecond !== undefined) await wait((1000 * piece.length) / bytesPerSecond);
    }
  }
}
