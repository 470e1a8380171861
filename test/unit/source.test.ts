import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpSource, type HttpSourceOptions } from '../../src/weights/http-source';

type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const DATA = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
let server: Server | null = null;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Starts a server; `answer` gets the number of the request, from 1. */
async function serve(answer: Answer, options: HttpSourceOptions = {}) {
  const seen: string[] = [];
  const made = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim());
    answer(request, response, seen.length);
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  const { port } = made.address() as AddressInfo;
  const source = createHttpSource('m', `http://127.0.0.1:${port}/models/m`, { retryDelayMs: 1, ...options });
  return { source, seen };
}

/** A well-behaved file server. */
const ranges: Answer = ({ headers }, response) => {
  const [, from, to] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
  if (from === undefined) return void response.end(DATA);
  const [start, end] = [Number(from), Math.min(Number(to) + 1, DATA.length)];
  if (start >= DATA.length)
    return void response.writeHead(416, { 'Content-Range': `bytes */${DATA.length}` }).end();
  response.writeHead(206, { 'Content-Range': `bytes ${start}-${end - 1}/${DATA.length}` });
  response.end(DATA.subarray(start, end));
};

const whole: Answer = (_, response) => {
  response.writeHead(200, { 'Content-Length': DATA.length });
  response.end(DATA);
};

const html: Answer = (_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end('<!doctype html><title>app</title>');
};

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(code, headers).end('no');

describe('createHttpSource', () => {
  it('reads pieces, sizes and texts below the folder', async () => {
    const { source, seen } = await serve(ranges);
    expect(await source.size('a b.safetensors')).toBe(1000);
    expect(await source.readRange('x', 10, 30)).toEqual(DATA.slice(10, 30));
    expect(await source.readRange('x', 5, 5)).toEqual(new Uint8Array(0));
    expect((await source.readText('config.json')).length).toBe(1000);
    expect(seen).toEqual([
      'GET /models/m/a%20b.safetensors bytes=0-0',
      'GET /models/m/x bytes=10-29',
      'GET /models/m/config.json',
    ]);
  });

  it('tells an absent file from a failing server', async () => {
    const { source } = await serve(status(404));
    expect(await source.size('x')).toBeNull();
    expect(await source.tryReadText('x')).toBeNull();
    await expect(source.readText('x')).rejects.toMatchObject({ code: 'not-found' });
    await expect(source.readRange('x', 0, 4)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('takes a web page for an absent file', async () => {
    const { source } = await serve(html);
    expect(await source.size('x')).toBeNull();
    expect(await source.tryReadText('x')).toBeNull();
    const error = { code: 'not-found', message: expect.stringContaining('web page') };
    await expect(source.readText('config.json')).rejects.toMatchObject(error);
    await expect(source.readRange('x', 0, 4)).rejects.toMatchObject(error);
  });

  it('sees a web page without its type', async () => {
    const { source } = await serve((_, response) => void response.end('\n<HTML lang="en">'));
    expect(await source.tryReadText('generation_config.json')).toBeNull();
  });

  it.each([500, 503, 429])('tries again after status %i', async (code) => {
    const { source, seen } = await serve((request, response, count) =>
      (count < 3 ? status(code) : ranges)(request, response, count),
    );
    expect(await source.readRange('x', 0, 9)).toEqual(DATA.slice(0, 9));
    expect(seen.length).toBe(3);
  });

  it('waits as long as the server asks', async () => {
    const { source } = await serve((request, response, count) =>
      (count === 1 ? status(429, { 'Retry-After': '1' }) : ranges)(request, response, count),
    );
    const start = performance.now();
    await source.readRange('x', 0, 9);
    expect(performance.now() - start).toBeGreaterThan(900);
  });

  it('gives up after the last try, naming the address', async () => {
    const { source, seen } = await serve(status(500), { maxTries: 3 });
    const error = { code: 'network', message: expect.stringMatching(/models\/m\/x .*3 tries: status 500/) };
    await expect(source.readRange('x', 0, 9)).rejects.toMatchObject(error);
    expect(seen.length).toBe(3);
  });

  it.each([401, 403, 418])('does not insist on status %i', async (code) => {
    const { source, seen } = await serve(status(code));
    const error = { code: 'network', message: expect.stringContaining(String(code)) };
    await expect(source.readRange('x', 0, 9)).rejects.toMatchObject(error);
    expect(seen.length).toBe(1);
  });

  it('reads again what was cut off', async () => {
    const { source, seen } = await serve((request, response, count) => {
      if (count > 2) return ranges(request, response, count);
      response.writeHead(206, count === 1 ? { 'Content-Length': 100 } : {});
      if (count === 2) return void response.end(DATA.subarray(0, 50));
      response.write(DATA.subarray(0, 50), () => response.destroy());
    });
    expect(await source.readRange('x', 0, 100)).toEqual(DATA.slice(0, 100));
    expect(seen.length).toBe(3);
  });

  it('never passes a short piece on', async () => {
    const { source } = await serve((_, response) => void response.writeHead(206).end(DATA.subarray(0, 50)));
    const error = { code: 'network', message: expect.stringContaining('50 bytes came instead of 100') };
    await expect(source.readRange('x', 0, 100)).rejects.toMatchObject(error);
  });

  it('says that the file is shorter than its header', async () => {
    const { source } = await serve(ranges);
    await expect(source.readRange('x', 1000, 1100)).rejects.toMatchObject({ code: 'bad-checkpoint' });
    expect(await source.size('x')).toBe(1000);
  });

  it('downloads a small file once where ranges are ignored', async () => {
    const { source, seen } = await serve(whole);
    expect(await source.size('x')).toBe(1000);
    const pieces = await Promise.all([10, 20, 30].map((at) => source.readRange('x', at, at + 10)));
    expect(pieces).toEqual([10, 20, 30].map((at) => DATA.slice(at, at + 10)));
    expect(await source.readRange('x', 900, 1000)).toEqual(DATA.slice(900));
    const requests = seen.length;
    await source.readRange('x', 0, 10);
    expect(seen.length).toBe(requests);
    await expect(source.readRange('x', 900, 1001)).rejects.toMatchObject({ code: 'bad-checkpoint' });
  });

  it('refuses a large file where ranges are ignored', async () => {
    const { source } = await serve(whole, { maxWholeBytes: 999 });
    expect(await source.size('x')).toBe(1000);
    const error = { code: 'network', message: expect.stringContaining('range requests') };
    await expect(source.readRange('x', 0, 10)).rejects.toMatchObject(error);
  });

  it('refuses a large file of unknown length as it grows', async () => {
    const { source } = await serve((_, response) => void response.writeHead(200).end(DATA), {
      maxWholeBytes: 999,
    });
    await expect(source.size('x')).rejects.toMatchObject({ code: 'network' });
  });

  it('asks for the size with HEAD when Content-Range is hidden', async () => {
    const { source, seen } = await serve(({ method }, response) => {
      if (method === 'HEAD') response.writeHead(200, { 'Content-Length': 1000 }).end();
      else response.writeHead(206).end(DATA.subarray(0, 1));
    });
    expect(await source.size('x')).toBe(1000);
    expect(seen.map((line) => line.slice(0, 4).trim())).toEqual(['GET', 'HEAD']);
  });

  it('stops at once when told to, also between tries', async () => {
    const stop = new AbortController();
    const { source, seen } = await serve(status(503), { retryDelayMs: 60_000 });
    const reading = source.readRange('x', 0, 9, stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 30);
    await expect(reading).rejects.toThrow('enough');
    await expect(source.readText('x', AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
    expect(seen.length).toBe(1);
  });

  it('reports a server that is not there', async () => {
    const source = createHttpSource('m', 'http://127.0.0.1:9/m/', { retryDelayMs: 1, maxTries: 2 });
    await expect(source.readText('config.json')).rejects.toMatchObject({ code: 'network' });
    expect(() => createHttpSource('m', 'models/m')).toThrow(/not an absolute URL/);
  });
});
