import { describe, expect, it } from 'vitest';
import type { TabmindError } from '../../src/errors';
import { repositoryAt, repositoryOf } from '../../src/weights/hosts';
import { createHubSource, type HubSourceOptions } from '../../src/weights/hub-source';
import { openModel } from '../../src/weights/model-source';
import { type Answer, startRange, startServer } from './source-server';

const SHA = '0123456789abcdef0123456789abcdef01234567';
const WEIGHTS = Uint8Array.from({ length: 500 }, (_, i) => i % 251);
const LISTING = {
  sha: SHA,
  siblings: ['config.json', 'model.safetensors', 'onnx/model.onnx'].map((rfilename) => ({ rfilename })),
};

/** A small huggingface.co: one repository, files at any revision. */
const hub: Answer = (request, response) => {
  const url = request.url ?? '';
  if (url.startsWith('/api/models/owner/name/revision/')) return void response.end(JSON.stringify(LISTING));
  if (url.endsWith('/config.json')) return void response.end('{"model_type":"llama"}');
  if (url.endsWith('/model.safetensors')) return void response.end(startRange(request, response, WEIGHTS));
  response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end('Entry not found');
};

async function open(answer: Answer, options: HubSourceOptions = {}, id = 'owner/name') {
  const server = await startServer(answer);
  const repository = repositoryOf({ kind: 'hub', id, host: server.origin });
  return { ...server, source: createHubSource(repository, { retryDelayMs: 1, ...options }) };
}

describe('createHubSource', () => {
  it('asks for the listing once and reads every file at its commit', async () => {
    const { source, seen } = await open(hub);
    expect(source.id).toBe('owner/name');
    expect(await source.version()).toBe(SHA);
    expect(await source.readText('config.json')).toContain('llama');
    expect(await source.size('model.safetensors')).toBe(500);
    expect(await source.readRange('model.safetensors', 10, 20)).toEqual(WEIGHTS.slice(10, 20));
    expect(await source.list?.()).toEqual(['config.json', 'model.safetensors']);
    expect(seen).toEqual([
      'GET /api/models/owner/name/revision/main',
      `GET /owner/name/resolve/${SHA}/config.json`,
      `GET /owner/name/resolve/${SHA}/model.safetensors bytes=0-0`,
      `GET /owner/name/resolve/${SHA}/model.safetensors bytes=10-19`,
    ]);
  });

  it('asks for nothing that the listing has not', async () => {
    const { source, seen } = await open(hub);
    expect(await source.tryReadText('tokenizer.json')).toBeNull();
    expect(await source.size('model.safetensors.index.json')).toBeNull();
    await expect(source.readText('chat_template.jinja')).rejects.toMatchObject({ code: 'not-found' });
    expect(seen.length).toBe(1);
  });

  it('takes a revision from the id, and needs no listing for the version of a commit', async () => {
    const branch = await open(hub, {}, 'owner/name@refs/pr/1');
    await branch.source.readText('config.json');
    expect(branch.seen[0]).toBe('GET /api/models/owner/name/revision/refs%2Fpr%2F1');
    expect(branch.source.id).toBe('owner/name@refs/pr/1');
    const commit = await open(hub, {}, `owner/name@${SHA}`);
    expect(await commit.source.version()).toBe(SHA);
    expect(commit.seen).toEqual([]);
  });

  it.each([
    ['has no such address', 404, 'no'],
    ['answers with a web page', 200, '<!doctype html><title>hub</title>'],
    ['answers with other JSON', 200, '{"models":[]}'],
  ])('reads at the revision itself where the host %s', async (_, status, body) => {
    const { source, seen } = await open((request, response, count) => {
      if (!request.url?.startsWith('/api/')) return hub(request, response, count);
      response.writeHead(status).end(body);
    });
    expect(await source.readText('config.json')).toContain('llama');
    expect(await source.tryReadText('generation_config.json')).toBeNull();
    expect(await source.list?.()).toEqual([]);
    expect(seen[1]).toBe('GET /owner/name/resolve/main/config.json');
  });

  it('tells versions by ETags where there is no listing', async () => {
    const { source } = await open((request, response) => {
      if (request.url?.startsWith('/api/')) return void response.writeHead(404).end();
      response
        .writeHead(200, { ETag: '"x"', 'Content-Length': 3 })
        .end(request.method === 'HEAD' ? '' : 'abc');
    });
    expect(await source.version()).toMatch(/^[0-9a-f]{16}$/);
  });

  it('sends the token to the hub, and not to where it redirects', async () => {
    const heard: string[] = [];
    const cdn = await startServer((request, response) => {
      heard.push(`cdn ${request.headers.authorization ?? 'none'}`);
      response.end(startRange(request, response, WEIGHTS));
    });
    const { source } = await open(
      (request, response, count) => {
        heard.push(`hub ${request.headers.authorization ?? 'none'}`);
        if (!request.url?.endsWith('/model.safetensors')) return hub(request, response, count);
        response.writeHead(302, { Location: `${cdn.origin}/blob` }).end();
      },
      { token: 'hf_secret' },
    );
    expect(await source.readRange('model.safetensors', 0, 9)).toEqual(WEIGHTS.slice(0, 9));
    expect(heard).toEqual(['hub Bearer hf_secret', 'hub Bearer hf_secret', 'cdn none']);
  });

  it.each([401, 403])('names the page of a gated repository (status %i)', async (status) => {
    const gated: Answer = (_, response) =>
      void response.writeHead(status, { 'X-Error-Code': 'GatedRepo' }).end();
    const { source, origin, seen } = await open(gated);
    const error = await source.readText('config.json').catch((thrown: TabmindError) => thrown);
    expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('owner/name is gated') });
    expect((error as TabmindError).remedy).toContain(`${origin}/owner/name`);
    expect((error as TabmindError).remedy).toContain('access token');
    expect(seen.length).toBe(1);
    const withToken = await open(gated, { token: 'hf_secret' });
    const refusal = await withToken.source.readText('config.json').catch((thrown: TabmindError) => thrown);
    expect((refusal as TabmindError).meaning).toContain('does not open this model');
    expect(JSON.stringify((refusal as TabmindError).toPlain())).not.toContain('hf_secret');
  });

  it('names the page when only the files are gated', async () => {
    const { source } = await open((request, response, count) => {
      if (request.url?.startsWith('/api/')) return hub(request, response, count);
      response.writeHead(403).end();
    });
    await expect(source.readRange('model.safetensors', 0, 9)).rejects.toMatchObject({
      message: expect.stringContaining('owner/name is gated'),
    });
  });

  it('tells a missing repository and a missing revision from a failing hub', async () => {
    const fails = (status: number, code: string): Answer => {
      return (_, response) => void response.writeHead(status, { 'X-Error-Code': code }).end();
    };
    const repository = await open(fails(401, 'RepoNotFound'));
    await expect(repository.source.readText('config.json')).rejects.toMatchObject({
      code: 'not-found',
      message: `${repository.origin}/owner/name does not exist, or is private.`,
    });
    const revision = await open(fails(404, 'RevisionNotFound'), {}, 'owner/name@v9');
    await expect(revision.source.readText('config.json')).rejects.toMatchObject({
      code: 'not-found',
      message: 'owner/name has no revision "v9".',
    });
    const down = await open(fails(503, ''), { maxTries: 2 });
    await expect(down.source.readText('config.json')).rejects.toMatchObject({ code: 'network' });
    expect(down.seen.length).toBe(2);
  });

  it('gets over a listing that failed at first', async () => {
    const { source } = await open((request, response, count) => {
      if (count === 1) return void response.writeHead(429).end();
      hub(request, response, count);
    });
    expect(await source.readText('config.json')).toContain('llama');
  });
});

describe('hosts', () => {
  it('know the presets', () => {
    const urls = (host: 'huggingface' | 'hf-mirror' | 'modelscope') => {
      const { host: found, name, revision } = repositoryOf({ kind: 'hub', id: 'Qwen/Qwen3-0.6B', host });
      return [found.folderUrl(name, revision), found.listingUrl(name, revision), found.pageUrl(name)];
    };
    expect(urls('huggingface')).toEqual([
      'https://huggingface.co/Qwen/Qwen3-0.6B/resolve/main/',
      'https://huggingface.co/api/models/Qwen/Qwen3-0.6B/revision/main',
      'https://huggingface.co/Qwen/Qwen3-0.6B',
    ]);
    expect(urls('hf-mirror')[0]).toBe('https://hf-mirror.com/Qwen/Qwen3-0.6B/resolve/main/');
    expect(urls('modelscope')).toEqual([
      'https://modelscope.cn/models/Qwen/Qwen3-0.6B/resolve/master/',
      'https://modelscope.cn/api/v1/models/Qwen/Qwen3-0.6B/repo/files?Revision=master&Recursive=true',
      'https://modelscope.cn/models/Qwen/Qwen3-0.6B',
    ]);
  });

  it('take any base URL, below a path too', () => {
    const { host } = repositoryOf({ kind: 'hub', id: 'a/b', host: 'https://example.org/hub/' });
    expect(host.folderUrl('a/b', 'main')).toBe('https://example.org/hub/a/b/resolve/main/');
    const scope = repositoryOf({ kind: 'hub', id: 'a/b', host: 'https://www.modelscope.cn' });
    expect(scope.revision).toBe('master');
  });

  it.each(['name', 'a/b/c', '../etc', 'a/..', './b', 'a b/c', '', 'a/b@'])(
    'refuse %j as a repository',
    (id) => {
      expect(() => repositoryOf({ kind: 'hub', id })).toThrow(/not the name of a repository/);
    },
  );

  it.each(['nowhere', 'ftp://example.org', 'javascript:alert(1)'])('refuse %j as a host', (host) => {
    expect(() => repositoryOf({ kind: 'hub', id: 'a/b', host })).toThrow(/neither a known hub/);
  });

  it.each([
    ['https://huggingface.co/a/b', 'a/b', 'main'],
    ['https://huggingface.co/a/b/tree/v2', 'a/b', 'v2'],
    ['https://hf.co/a/b/blob/main/config.json', 'a/b', 'main'],
    ['https://hf-mirror.com/a/b/resolve/refs%2Fpr%2F1/', 'a/b', 'refs/pr/1'],
    ['https://www.modelscope.cn/models/a/b/files', 'a/b', 'master'],
    ['https://modelscope.cn/models/a/b/resolve/v1/', 'a/b', 'v1'],
  ])('see the repository behind %s', (url, name, revision) => {
    expect(repositoryAt(url)).toMatchObject({ name, revision });
  });

  it.each([
    'https://example.org/a/b',
    'https://huggingface.co/datasets/a/b',
    'https://huggingface.co/spaces/a/b',
    'https://huggingface.co/a',
    'https://modelscope.cn/a/b',
    'models/starter/',
  ])('see none behind %s', (url) => {
    expect(repositoryAt(url)).toBeNull();
  });
});

describe('ModelScope', () => {
  const entries = [
    { Path: 'config.json', Type: 'blob', Sha256: 'aa', Revision: '1' },
    { Path: 'model.safetensors', Type: 'blob', Sha256: 'bb', Revision: '1' },
    { Path: 'assets', Type: 'tree' },
  ];

  function scope(files: readonly object[]) {
    const asked: string[] = [];
    const answer = async (input: RequestInfo | URL) => {
      asked.push(String(input));
      return new Response(
        String(input).includes('/repo/files') ? JSON.stringify({ Code: 200, Data: { Files: files } }) : '{}',
      );
    };
    const repository = repositoryOf({ kind: 'hub', id: 'Qwen/Qwen3-0.6B', host: 'modelscope' });
    return { asked, source: createHubSource(repository, { fetch: answer }) };
  }

  it('is read by its own addresses', async () => {
    const { asked, source } = scope(entries);
    expect(await source.readText('config.json')).toBe('{}');
    expect(await source.size('assets')).toBeNull();
    expect(await source.list?.()).toEqual(['config.json', 'model.safetensors']);
    expect(asked[1]).toBe('https://modelscope.cn/models/Qwen/Qwen3-0.6B/resolve/master/config.json');
  });

  it('has a version that changes with any file', async () => {
    const version = await scope(entries).source.version();
    expect(version).toMatch(/^[0-9a-f]{16}$/);
    expect(await scope(entries.toReversed()).source.version()).toBe(version);
    const changed = entries.map((entry) =>
      entry.Path === 'config.json' ? { ...entry, Sha256: 'cc' } : entry,
    );
    expect(await scope(changed).source.version()).not.toBe(version);
  });
});

describe('openModel', () => {
  it('reads a page of a known hub as a repository, and any other address as a folder', () => {
    const page = openModel({ id: 'x', url: 'https://huggingface.co/a/b/resolve/main/' });
    expect([page.id, page.revision, page.source.id]).toEqual(['x', 'main', 'a/b']);
    const pinned = openModel({ id: 'x', url: 'https://huggingface.co/a/b', revision: 'v1' });
    expect([pinned.revision, pinned.source.id]).toEqual(['v1', 'a/b@v1']);
    const folder = openModel({ id: 'x', url: 'https://example.org/a/b' });
    expect([folder.id, folder.revision, folder.source.id]).toEqual(['x', '', 'x']);
  });

  it('never sends the token to a folder URL', async () => {
    const headers: (string | undefined)[] = [];
    const { origin } = await startServer((request, response) => {
      headers.push(request.headers.authorization);
      response.end('{}');
    });
    const { source } = openModel({ id: 'x', url: `${origin}/m/` }, { token: 'hf_secret' });
    await source.readText('config.json');
    expect(headers).toEqual([undefined]);
  });
});
