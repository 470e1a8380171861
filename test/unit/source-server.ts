import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

/** Answers one request; `count` is its number, from 1. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

export interface TestServer {
  readonly origin: string;
  /** `METHOD /path RANGE` of every request. */
  readonly seen: string[];
  /** Bytes of bodies that were handed to the network. */
  bytesServed(): number;
}

/** A server on a port of its own, for the running test. */
export async function startServer(answer: Answer): Promise<TestServer> {
  const seen: string[] = [];
  let served = 0;
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim());
    const { write } = response;
    response.write = ((chunk: Uint8Array, done: () => void) => {
      served += chunk.length;
      return write.call(response, chunk, done as never);
    }) as typeof response.write;
    answer(request, response, seen.length);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, seen, bytesServed: () => served };
}

/** First and last byte asked for. */
export function rangeOf(request: IncomingMessage): readonly [first: number, last: number] | null {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  return first === undefined ? null : [Number(first), Number(last)];
}

/** Starts a right answer to a range request; the body is left to the caller. */
export function startRange(
  request: IncomingMessage,
  response: ServerResponse,
  data: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Uint8Array {
  const [first, last] = rangeOf(request) ?? [0, data.length - 1];
  const end = Math.min(last + 1, data.length);
  response.writeHead(206, {
    'Content-Range': `bytes ${first}-${end - 1}/${data.length}`,
    'Content-Length': end - first,
    ...headers,
  });
  return data.subarray(first, end);
}
