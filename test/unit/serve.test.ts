import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../web/serve.mjs';

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
let folder: string;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tabmind-serve-'));
  mkdirSync(join(folder, 'site/sub'), { recursive: true });
  mkdirSync(join(folder, 'model'));
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'site/index.html'), '<title>page</title>');
  writeFileSync(join(folder, 'site/sub/index.html'), 'sub');
  writeFileSync(join(folder, 'site/.env'), 'secret');
  writeFileSync(join(folder, 'site/empty.bin'), '');
  writeFileSync(join(folder, 'site/a b.json'), '{}');
  for (const name of ['x.wasm', 'x.wgsl', 'x.webmanifest', 'x.js', 'x.css']) {
    writeFileSync(join(folder, 'site', name), 'x');
  }
  writeFileSync(join(folder, 'model/model.safetensors'), BYTES);
  server = await serve({
    root: join(folder, 'site'),
    roots: { '/models/tiny': join(folder, 'model') },
    pageHeaders: { 'Referrer-Policy': 'no-referrer' },
  });
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(new URL(path, server.url), { headers, method, redirect: 'manual' });
const model = (headers: Record<string, string>) => get('models/tiny/model.safetensors', headers);
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

/** fetch() tidies paths before it sends them; an attacker does not. */
function rawStatus(path: string): Promise<number> {
  return new Promise((done, fail) => {
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('end', () => done(Number(text.split(' ')[1])));
    socket.on('error', fail);
  });
}

describe('files', () => {
  it.each([
    ['', 'text/html; charset=utf-8'],
    ['x.wasm', 'application/wasm'],
    ['x.wgsl', 'text/wgsl; charset=utf-8'],
    ['x.webmanifest', 'application/manifest+json; charset=utf-8'],
    ['x.js', 'text/javascript; charset=utf-8'],
    ['x.css', 'text/css; charset=utf-8'],
    ['a%20b.json?v=1', 'application/json; charset=utf-8'],
    ['models/tiny/model.safetensors', 'application/octet-stream'],
  ])('serves /%s as %s', async (path, type) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('sends the whole file and its length', async () => {
    const response = await model({});
    expect(response.headers.get('content-length')).toBe('1000');
    expect(await bytesOf(response)).toEqual(BYTES);
  });

  it('sends the headers of pages with pages only', async () => {
    expect((await get('')).headers.get('referrer-policy')).toBe('no-referrer');
    expect((await get('x.js')).headers.get('referrer-policy')).toBeNull();
  });

  it('answers HEAD without a body', async () => {
    const response = await get('models/tiny/model.safetensors', {}, 'HEAD');
    expect(response.headers.get('content-length')).toBe('1000');
    expect((await bytesOf(response)).length).toBe(0);
  });

  it('has no fallback page', async () => {
    expect((await get('chat/42')).status).toBe(404);
    expect((await get('models/tiny/')).status).toBe(404);
    expect((await get('models/tiny/none.bin')).status).toBe(404);
    expect((await get('x.js/more')).status).toBe(404);
  });

  it('sends a folder to its slash', async () => {
    const response = await get('sub?a=1');
    expect(response.status).toBe(301);
    expect(response.headers.get('location')).toBe('/sub/?a=1');
    expect(await (await get('sub/')).text()).toBe('sub');
  });

  it('refuses other methods', async () => {
    const response = await get('', {}, 'POST');
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });
});

describe('byte ranges', () => {
  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=990-', 990, 999],
    ['bytes=-5', 995, 999],
    ['bytes=-5000', 0, 999],
    ['bytes=10-5000', 10, 999],
    ['bytes=999-999', 999, 999],
  ])('%s', async (range, start, end) => {
    const response = await model({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/1000`);
    expect(response.headers.get('content-length')).toBe(String(end - start + 1));
    expect(await bytesOf(response)).toEqual(BYTES.subarray(start, end + 1));
  });

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0'])('%s is 416', async (range) => {
    const response = await model({ range });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */1000');
  });

  it.each(['bytes=9-3', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'bytes=0-1,4-5'])(
    '%s is ignored',
    async (range) => {
      const response = await model({ range });
      expect(response.status).toBe(200);
      expect(await bytesOf(response)).toEqual(BYTES);
    },
  );

  it('has nothing of an empty file', async () => {
    expect((await get('empty.bin', { range: 'bytes=0-' })).status).toBe(416);
    expect((await bytesOf(await get('empty.bin'))).length).toBe(0);
  });

  it('honours If-Range', async () => {
    const etag = (await model({})).headers.get('etag') ?? '';
    expect((await model({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await model({ range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
  });
});

describe('revalidation', () => {
  it('answers 304 until the file changes', async () => {
    const path = 'changing.json';
    writeFileSync(join(folder, 'site', path), '1');
    const first = (await get(path)).headers.get('etag') ?? '';
    expect((await get(path, { 'if-none-match': first })).status).toBe(304);
    expect((await get(path, { 'if-none-match': `"x", W/${first}` })).status).toBe(304);
    writeFileSync(join(folder, 'site', path), '12');
    const second = await get(path, { 'if-none-match': first });
    expect(second.status).toBe(200);
    expect(second.headers.get('etag')).not.toBe(first);
  });
});

describe('the way out of the folder', () => {
  it.each([
    '/../secret.txt',
    '/sub/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%5c..%5csecret.txt',
    '/models/tiny/../../../secret.txt',
    '/models/tiny/%2e%2e/secret.txt',
    '//etc/passwd',
    '/.env',
    '/x.js%00.html',
    '/%zz',
  ])('%s is not found', async (path) => {
    expect(await rawStatus(path)).toBe(404);
  });
});

describe('ports', () => {
  it('refuses a busy one and frees its own', async () => {
    await expect(serve({ root: folder, port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const other = await serve({ root: folder });
    await other.close();
    const again = await serve({ root: folder, port: other.port });
    expect(again.url).toBe(`http://localhost:${other.port}/`);
    await again.close();
  });

  it('needs a folder', async () => {
    await expect(serve({})).rejects.toThrow('needs a root');
  });
});
