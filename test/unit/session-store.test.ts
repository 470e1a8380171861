import 'fake-indexeddb/auto';
import { createStore, get, set } from 'idb-keyval';
import { describe, expect, it } from 'vitest';
import { SessionStore, sessionKey } from '../../src/llm/session-store';
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
