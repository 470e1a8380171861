import { describe, expect, it } from 'vitest';
import { StarterCopy } from '../../web/pwa/starter-copy';

const SCOPE = 'https://page.example/sub/';
const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i);

/** What of the browser's CacheStorage the copy uses, in memory; `fetched` are the addresses that it asked for. */
function memoryCaches(failing: ReadonlySet<string> = new Set()) {
  const stores = new Map<string, Map<string, Response>>();
  const fetched: string[] = [];
  const cacheOf = (store: Map<string, Response>) => ({
    match: async (url: string) => store.get(url)?.clone(),
    add: async (url: string) => {
      fetched.push(url);
      if (failing.has(url)) throw new TypeError('Failed to fetch');
      store.set(url, new Response(BYTES));
    },
  });
  const storage = {
    open: async (name: string) => {
      const store = stores.get(name) ?? new Map<string, Response>();
      stores.set(name, store);
      return cacheOf(store);
    },
    has: async (name: string) => stores.has(name),
    keys: async () => [...stores.keys()],
    delete: async (name: string) => stores.delete(name),
  };
  return { storage: storage as unknown as CacheStorage, stores, fetched };
}

const files = (revision: string) => ({
  folder: 'models/starter/',
  names: ['config.json', 'w.bin'],
  revision,
});
const WEIGHTS = `${SCOPE}models/starter/w.bin`;

describe('the copy of the starter', () => {
  it('knows its files, and no others', () => {
    const copy = new StarterCopy(files('1'), SCOPE, memoryCaches().storage);
    expect(copy.holds(new URL(WEIGHTS))).toBe(true);
    for (const other of ['models/starter/README.md', 'models/other/w.bin', 'w.bin'])
      expect(copy.holds(new URL(other, SCOPE))).toBe(false);
    expect(copy.holds(new URL('https://hub.example/sub/models/starter/w.bin'))).toBe(false);
  });

  it('answers nothing before it is kept, and whole files after', async () => {
    const { storage, fetched } = memoryCaches();
    const copy = new StarterCopy(files('1'), SCOPE, storage);
    expect(await copy.answer(new Request(WEIGHTS))).toBeUndefined();
    await copy.keep();
    expect(fetched).toHaveLength(2);
    const answer = await copy.answer(new Request(WEIGHTS));
    expect(new Uint8Array(await (answer ?? Response.error()).arrayBuffer())).toEqual(BYTES);
    await copy.keep();
    expect(fetched).toHaveLength(2);
  });

  it.each([
    ['bytes=0-9', 206, 0, 10, 'bytes 0-9/100'],
    ['bytes=90-', 206, 90, 100, 'bytes 90-99/100'],
    ['bytes=90-400', 206, 90, 100, 'bytes 90-99/100'],
    ['bytes=100-', 416, 0, 0, 'bytes */100'],
  ])('gives the part %s', async (range, status, start, end, contentRange) => {
    const copy = new StarterCopy(files('1'), SCOPE, memoryCaches().storage);
    await copy.keep();
    const answer = await copy.answer(new Request(WEIGHTS, { headers: { Range: range } }));
    expect(answer?.status).toBe(status);
    expect(answer?.headers.get('Content-Range')).toBe(contentRange);
    expect(new Uint8Array(await (answer ?? Response.error()).arrayBuffer())).toEqual(BYTES.slice(start, end));
  });

  it('goes on where the network failed', async () => {
    const failing = new Set([WEIGHTS]);
    const { storage, fetched } = memoryCaches(failing);
    const copy = new StarterCopy(files('1'), SCOPE, storage);
    await expect(copy.keep()).rejects.toThrow('Failed to fetch');
    failing.clear();
    await copy.keep();
    expect(fetched).toEqual([`${SCOPE}models/starter/config.json`, WEIGHTS, WEIGHTS]);
  });

  it('gives up older versions, and all of them when it is dropped; other caches stay', async () => {
    const { storage, stores } = memoryCaches();
    stores.set('workbox-precache', new Map());
    await new StarterCopy(files('1'), SCOPE, storage).keep();
    const copy = new StarterCopy(files('2'), SCOPE, storage);
    await copy.keep();
    expect([...stores.keys()]).toEqual(['workbox-precache', 'tabmind-starter-2']);
    await copy.drop();
    expect([...stores.keys()]).toEqual(['workbox-precache']);
  });
});
