import { describe, expect, it } from 'vitest';
import { createHttpSource, type HttpSourceOptions } from '../../src/weights/http-source';
import { type Answer, startRange, startServer } from './source-server';

const DATA = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 31 + (i >> 8)) % 251);
const KIB = 1024;

async function open(answer: Answer, options: HttpSourceOptions = {}) {
  const server = await startServer(answer);
  const source = createHttpSource('m', `${server.origin}/m`, { retryDelayMs: 1, ...options });
  return { ...server, source };
}

const whole: Answer = (request, response) => {
  response.write(startRange(request, response, DATA));
  response.end();
};

/** Sends `bytes` of the right answer, gives the client time to take them, and drops the connection. */
const cutAfter =
  (bytes: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (request, response) => {
    const body = startRange(request, response, DATA, headers);
    response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 30));
  };

/** toEqual looks at every element and takes seconds. */
function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

describe('a range that is cut off', () => {
  it('goes on at the byte where it stopped, and fetches no byte twice', async () => {
    const { source, seen, bytesServed } = await open((request, response, count) =>
      (count < 4 ? cutAfter(10_000 * count) : whole)(request, response, count),
    );
    expectBytes(await source.readRange('w', 1000, 501_000), DATA.slice(1000, 501_000));
    const starts = seen.map((line) => Number(/bytes=(\d+)-/.exec(line)?.[1]));
    expect(starts).toEqual([1000, 11_000, 31_000, 61_000]);
    expect(bytesServed()).toBe(500_000);
  });

  it('does not use up its tries while it gets on', async () => {
    const { source, seen, bytesServed } = await open(cutAfter(100 * KIB), { maxTries: 2 });
    expectBytes(await source.readRange('w', 0, DATA.length), DATA);
    expect(seen.length).toBe(Math.ceil(DATA.length / (100 * KIB)));
    expect(bytesServed()).toBe(DATA.length);
  });

  it('ends in an error when hardly anything comes', async () => {
    const { source, seen } = await open(cutAfter(10), { maxTries: 3 });
    await expect(source.readRange('w', 0, 5000)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('after 3 tries'),
    });
    expect(seen.length).toBe(3);
  });

  it('goes on after a connection that fell silent', async () => {
    const { source, seen, bytesServed } = await open(
      (request, response, count) => {
        const body = startRange(request, response, DATA);
        if (count === 1) return void response.write(body.subarray(0, 5000));
        response.write(body);
        response.end();
      },
      { stallMs: 150 },
    );
    expectBytes(await source.readRange('w', 0, 20_000), DATA.slice(0, 20_000));
    expect(seen[1]).toContain('bytes=5000-19999');
    expect(bytesServed()).toBe(20_000);
  });

  it('does not wait forever for an answer', async () => {
    const { source } = await open(() => undefined, { stallMs: 40, maxTries: 2 });
    await expect(source.readRange('w', 0, 10)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('no byte came for 0.04 s'),
    });
    await expect(source.readText('config.json')).rejects.toMatchObject({ code: 'network' });
  });

  it('is put together from the smaller ranges that a server is willing to send', async () => {
    const { source, bytesServed } = await open((request, response) => {
      const [first = 0] = /\d+/.exec(request.headers.range ?? '') ?? [];
      const last = Math.min(Number(first) + 70_000, 200_000) - 1;
      request.headers.range = `bytes=${first}-${last}`;
      whole(request, response, 1);
    });
    expectBytes(await source.readRange('w', 0, 200_000), DATA.slice(0, 200_000));
    expect(bytesServed()).toBe(200_000);
  });
});

describe('an answer that is not what was asked for', () => {
  /** The right headers for the bytes `shift` further on. */
  const shifted =
    (shift: number): Answer =>
    (request, response, count) => {
      const [first = 0, last = 0] = (request.headers.range ?? '').match(/\d+/g)?.map(Number) ?? [];
      request.headers.range = `bytes=${first + shift}-${last + shift}`;
      whole(request, response, count);
    };

  it('is not taken once, and tried again', async () => {
    const { source } = await open((request, response, count) =>
      (count === 1 ? shifted(7) : whole)(request, response, count),
    );
    expectBytes(await source.readRange('w', 100, 300), DATA.slice(100, 300));
  });

  it('is an error that says which bytes came', async () => {
    const { source } = await open(shifted(7), { maxTries: 2 });
    await expect(source.readRange('w', 100, 300)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('the server sent bytes 107 to 306 instead of 100 to 299'),
    });
  });

  it('is refused when it is longer than its own header says', async () => {
    const { source } = await open(
      (_, response) => {
        response.writeHead(206, { 'Content-Range': `bytes 0-99/${DATA.length}` });
        response.end(DATA.subarray(0, 200));
      },
      { maxTries: 2 },
    );
    await expect(source.readRange('w', 0, 100)).rejects.toMatchObject({ code: 'network' });
  });

  it('costs no memory before it has come', async () => {
    const { source } = await open((_, response) => void response.writeHead(500).end(), { maxTries: 1 });
    await expect(source.readRange('w', 0, 2 ** 52)).rejects.toMatchObject({ code: 'network' });
  });
});

describe('a file that changes while it is read', () => {
  const changed = { code: 'network', message: expect.stringContaining('changed while it was being read') };

  it('is noticed between two halves of a piece', async () => {
    const { source, seen } = await open((request, response, count) => {
      if (count === 1) return cutAfter(5000, { ETag: '"one"' })(request, response, count);
      response.end(startRange(request, response, DATA, { ETag: '"two"' }));
    });
    await expect(source.readRange('w', 0, 9000)).rejects.toMatchObject(changed);
    expect(seen.length).toBe(2);
  });

  it('is noticed between two pieces, and between size and piece', async () => {
    let tag = '"one"';
    const { source } = await open((request, response) => {
      response.end(startRange(request, response, DATA, { ETag: tag }));
    });
    await source.size('w');
    await source.readRange('w', 0, 10);
    tag = 'W/"one"';
    await source.readRange('w', 0, 10);
    tag = '"two"';
    await expect(source.readRange('w', 10, 20)).rejects.toMatchObject(changed);
    await expect(source.size('w')).rejects.toMatchObject(changed);
    expect(await source.size('other')).toBe(DATA.length);
  });

  it('is noticed by its length alone', async () => {
    let data = DATA;
    const { source } = await open(
      (request, response) => void response.end(startRange(request, response, data)),
    );
    expect(await source.size('w')).toBe(DATA.length);
    data = DATA.subarray(1);
    await expect(source.readRange('w', 0, 10)).rejects.toMatchObject(changed);
  });

  it('is noticed when it has become shorter than the piece', async () => {
    let length = DATA.length;
    const { source } = await open((request, response) => {
      if (length === DATA.length) return void response.end(startRange(request, response, DATA));
      response.writeHead(416, { 'Content-Range': `bytes */${length}` }).end();
    });
    await source.size('w');
    length = 10;
    await expect(source.readRange('w', 20, 30)).rejects.toMatchObject(changed);
  });
});

describe('Retry-After', () => {
  it('may be a date', async () => {
    const { source } = await open((request, response, count) => {
      if (count > 1) return whole(request, response, count);
      response.writeHead(503, { 'Retry-After': new Date(Date.now() + 1900).toUTCString() }).end();
    });
    const start = performance.now();
    await source.readRange('w', 0, 9);
    expect(performance.now() - start).toBeGreaterThan(800);
  });

  it('is not waited for when it is long: the person is told', async () => {
    const { source, seen } = await open((_, response) => {
      response.writeHead(429, { 'Retry-After': '3600' }).end();
    });
    await expect(source.readRange('w', 0, 9)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('come back in 3600 s'),
      details: { status: 429, seconds: 3600 },
    });
    expect(seen.length).toBe(1);
  });
});

describe('version', () => {
  const files =
    (tags: Readonly<Record<string, string>>): Answer =>
    (request, response) => {
      const tag = tags[request.url?.split('/').at(-1) ?? ''];
      if (tag === undefined) return void response.writeHead(404).end();
      response.writeHead(200, { 'Content-Length': 10, ...(tag ? { ETag: tag } : {}) }).end();
    };
  const versionOf = async (tags: Readonly<Record<string, string>>) =>
    (await open(files(tags))).source.version();

  it('changes with the ETag of any file that makes the model', async () => {
    const tags = { 'config.json': '"a"', 'model.safetensors': '"b"' };
    const version = await versionOf(tags);
    expect(version).toMatch(/^[0-9a-f]{16}$/);
    expect(await versionOf({ ...tags, 'README.md': '"z"' })).toBe(version);
    expect(await versionOf({ ...tags, 'model.safetensors': '"c"' })).not.toBe(version);
    expect(await versionOf({ ...tags, 'config.json': '"c"' })).not.toBe(version);
  });

  it('takes the index where the weights are in shards', async () => {
    const tags = { 'config.json': '"a"', 'model.safetensors.index.json': '"b"' };
    const version = await versionOf(tags);
    expect(await versionOf({ ...tags, 'model.safetensors.index.json': '"c"' })).not.toBe(version);
  });

  it('is unknown where the server names none', async () => {
    expect(await versionOf({ 'config.json': '', 'model.safetensors': '' })).toBeNull();
    expect(await versionOf({})).toBeNull();
  });

  it('is asked for once only', async () => {
    const { source, seen } = await open((_, response) => void response.writeHead(500).end());
    await expect(source.version()).rejects.toMatchObject({ code: 'network' });
    // two files are asked for together; none is asked for again
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(new Set(seen).size).toBe(seen.length);
  });
});
