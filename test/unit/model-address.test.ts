import { beforeAll, describe, expect, it } from 'vitest';
import { stubPage } from './stub-page';

async function load() {
  const kept = stubPage();
  const { modelFromAddress } = await import('../../web/state/model-address');
  const hubs = await import('../../web/state/hub');
  const { hubName } = await import('../../web/state/hub-name');
  return { kept, modelFromAddress, hubName, ...hubs };
}

let page: Awaited<ReturnType<typeof load>>;

beforeAll(async () => {
  page = await load();
});

describe('modelFromAddress', () => {
  const hub = (host: string, id = 'owner/name') => ({ kind: 'hub', id, host });

  it.each([
    ['owner/name', hub('huggingface')],
    ['  owner/name@v1.0  ', { ...hub('huggingface'), revision: 'v1.0' }],
    ['owner/name@main', hub('huggingface')],
    ['https://huggingface.co/owner/name', hub('huggingface')],
    ['huggingface.co/owner/name/tree/main', hub('huggingface')],
    ['https://huggingface.co/owner/name/blob/dev/config.json', { ...hub('huggingface'), revision: 'dev' }],
    ['https://hf-mirror.com/owner/name/resolve/main/', hub('hf-mirror')],
    ['https://www.modelscope.cn/models/owner/name/summary', hub('modelscope')],
    [
      'https://example.org/a/b/config.json',
      { kind: 'url', id: 'example.org/a/b', url: 'https://example.org/a/b/' },
    ],
    [
      'http://localhost:8080/model?x=1',
      { kind: 'url', id: 'localhost:8080/model', url: 'http://localhost:8080/model/' },
    ],
  ])('%s', (text, expected) => {
    page.hubChoice.value = 'huggingface';
    expect(page.modelFromAddress(text)).toEqual({ weightBits: 4, isComplete: false, ...expected });
  });

  it.each(['', 'name', 'owner/name/more', '../name', 'owner/..', 'ftp://example.org/a/', 'http://', 'a b/c'])(
    'refuses "%s"',
    (text) => {
      page.hubChoice.value = 'huggingface';
      expect(page.modelFromAddress(text)).toBeNull();
    },
  );

  it('looks names and pages up at the hub of one’s own', () => {
    page.hubChoice.value = 'own';
    page.ownHub.value = ' https://hub.example.org/sub/ ';
    const own = hub('https://hub.example.org/sub');
    expect(page.modelFromAddress('owner/name')).toMatchObject(own);
    expect(page.modelFromAddress('https://hub.example.org/sub/owner/name')).toMatchObject(own);
    expect(page.modelFromAddress('https://huggingface.co/owner/name')).toMatchObject(hub('huggingface'));
    page.ownHub.value = 'javascript:alert(1)';
    expect(page.hub.value).toBeNull();
    expect(page.modelFromAddress('owner/name')).toBeNull();
  });

  it('calls hubs by their hosts', () => {
    const names = ['huggingface', 'hf-mirror', 'modelscope', 'http://127.0.0.1:80/x'].map(page.hubName);
    expect(names).toEqual(['huggingface.co', 'hf-mirror.com', 'modelscope.cn', '127.0.0.1']);
  });
});

describe('access tokens', () => {
  const model = {
    kind: 'hub',
    id: 'owner/name',
    host: 'modelscope',
    weightBits: 4,
    isComplete: false,
  } as const;

  it('belong to one hub, and are written only when asked for', () => {
    const stop = page.keepHub();
    page.setToken('modelscope', ' secret ');
    expect(page.tokenFor(model)).toBe('secret');
    expect(page.tokenFor({ ...model, host: 'huggingface' })).toBeUndefined();
    expect(page.tokenFor({ ...model, kind: 'url', url: 'https://modelscope.cn/x/' })).toBeUndefined();
    expect([...page.kept.values()].join()).not.toContain('secret');
    page.remembersTokens.value = true;
    expect([...page.kept.values()].join()).toContain('secret');
    page.setToken('modelscope', '');
    expect([...page.kept.values()].join()).not.toContain('secret');
    expect(page.tokenFor(model)).toBeUndefined();
    stop();
  });
});
