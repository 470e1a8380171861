import 'fake-indexeddb/auto';
import { createStore, get, set } from 'idb-keyval';
import { describe, expect, it, vi } from 'vitest';
import { sessionKey } from '../../src/llm/session-key';
import { SessionStore } from '../../src/llm/session-store';
import { weightIdentity } from '../../src/weights/weight-identity';

const identity = weightIdentity({ id: 'org/model', url: '' }, {});
const shape = {
  numLayers: 2,
  numKvHeads: 1,
  headDim: 8,
  kvBits: 8,
  blockTokens: 32,
  numBlocks: 4,
} as const;
const key = sessionKey(identity, null, shape);
const saved = { tokenIds: [5, 6, 7], contents: Uint8Array.from([1, 2, 3, 4]) };

describe('SessionStore', () => {
  it('gives back what was written, as long as model and layout are the same', async () => {
    const store = new SessionStore('sessions a');
    await store.write('talk', key, saved);
    expect(await store.read('talk', key)).toEqual(saved);
    expect(await store.read('another', key)).toBeNull();
    // a pool of another size holds the same blocks
    expect(sessionKey(identity, null, { ...shape, numBlocks: 9 })).toBe(key);
    for (const other of [
      sessionKey(weightIdentity({ id: 'org/model', url: '' }, { weightBits: 8 }), null, shape),
      sessionKey({ ...identity, revision: 'newer' }, null, shape),
      sessionKey(identity, 7, shape),
      sessionKey(identity, null, { ...shape, kvBits: 16 }),
      sessionKey(identity, null, { ...shape, blockTokens: 16 }),
    ]) {
      expect(other).not.toBe(key);
      expect(await store.read('talk', other)).toBeNull();
    }
    await store.delete('talk');
    expect(await store.read('talk', key)).toBeNull();
  });

  it('says how much it keeps, and forgets it all', async () => {
    const store = new SessionStore('sessions b');
    expect(await store.size()).toEqual({ count: 0, bytes: 0 });
    await store.write('talk', key, saved);
    await store.write('more', 'another model', saved);
    expect(await store.size()).toEqual({ count: 2, bytes: 2 * (3 * 4 + 4) });
    await store.clear();
    expect(await store.size()).toEqual({ count: 0, bytes: 0 });
    expect(await store.read('talk', key)).toBeNull();
  });

  it('gives up the oldest, and never what it has just written, where there is little room', async () => {
    const store = new SessionStore('sessions c');
    const bytes = 3 * 4 + 4;
    for (const id of ['one', 'two', 'three']) {
      expect(await store.write(id, key, saved, 2 * bytes)).toBe(true);
      // the order is that of the clock
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await store.size()).toEqual({ count: 2, bytes: 2 * bytes });
    expect(await store.read('one', key)).toBeNull();
    // written again it is the youngest
    await store.write('two', key, saved, 2 * bytes);
    await store.write('four', key, saved, 2 * bytes);
    expect(await store.read('three', key)).toBeNull();
    expect(await store.read('two', key)).toEqual(saved);
    expect(await store.write('large', key, saved, bytes - 1)).toBe(false);
    expect(await store.read('four', key)).toEqual(saved);
    expect(await store.read('large', key)).toBeNull();
  });

  it('makes room when the browser has none, and says so when that does not help', async () => {
    const store = new SessionStore('sessions d');
    await store.write('old', key, saved);
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    const full = () => {
      throw new DOMException('no room', 'QuotaExceededError');
    };
    put.mockImplementationOnce(full);
    expect(await store.write('new', key, saved)).toBe(true);
    expect(await store.read('old', key)).toBeNull();
    put.mockImplementation(full);
    await expect(store.write('more', key, saved)).rejects.toMatchObject({ code: 'quota' });
    put.mockRestore();
  });

  it.each([
    ['contents', { contents: new Blob([Uint8Array.from([1, 2, 3, 5])]) }],
    ['ids', { tokenIds: Uint32Array.from([5, 6, 8]) }],
  ])('does not give damaged %s', async (what, damage) => {
    const database = `sessions damaged ${what}`;
    const store = new SessionStore(database);
    await store.write('talk', key, saved);
    const raw = createStore(database, 'sessions');
    await set('talk', { ...(await get<object>('talk', raw)), ...damage }, raw);
    expect(await store.read('talk', key)).toBeNull();
  });
});
