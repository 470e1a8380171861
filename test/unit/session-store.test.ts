import 'fake-indexeddb/auto';
import { createStore, entries, keys, type UseStore } from 'idb-keyval';
import { afterEach, describe, expect, it, vi } from 'vitest';
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

const BLOCK_TOKENS = 4;
const BLOCK_BYTES = 1000;
const ID_BYTES = 4;

/** What the graphics card holds of `tokenIds`: a block depends on all tokens up to its end. */
function contentsOf(tokenIds: readonly number[], firstBlock = 0): Uint8Array<ArrayBuffer> {
  const numBlocks = Math.ceil(tokenIds.length / BLOCK_TOKENS);
  const blocks = Array.from({ length: numBlocks - firstBlock }, (_, i) => {
    const known = tokenIds.slice(0, (firstBlock + i + 1) * BLOCK_TOKENS);
    return Array.from({ length: BLOCK_BYTES }, (_, at) => (at + (known[at % known.length] ?? 0)) % 251);
  });
  return Uint8Array.from(blocks.flat());
}

const sessionOf = (tokenIds: readonly number[]) => ({ tokenIds, contents: contentsOf(tokenIds) });
const tokens = (length: number, first = 0) => Array.from({ length }, (_, i) => first + i);

/** Saves a conversation as a loaded model does it; resolves to whether it did, and how many blocks it had to read. */
async function saveNew(store: SessionStore, id: string, tokenIds: readonly number[], maxBytes?: number) {
  const unchanged = await store.unchangedBlocks(id, key, tokenIds, BLOCK_TOKENS);
  const contents = contentsOf(tokenIds, unchanged.length);
  const isSaved = await store.write(
    id,
    key,
    { tokenIds, unchanged, contents, blockBytes: BLOCK_BYTES },
    maxBytes,
  );
  return { isSaved, numBlocks: contents.length / BLOCK_BYTES };
}

const saveWhole = (store: SessionStore, id: string, tokenIds: readonly number[], maxBytes?: number) =>
  store.write(
    id,
    key,
    { tokenIds, unchanged: [], contents: contentsOf(tokenIds), blockBytes: BLOCK_BYTES },
    maxBytes,
  );

/** Sizes of the blocks that are written while `act` runs, and how many other records. */
async function writtenBy(act: () => Promise<unknown>) {
  const put = vi.spyOn(IDBObjectStore.prototype, 'put');
  await act();
  const values = put.mock.calls.map(([value]: [unknown, unknown?]) => value);
  put.mockRestore();
  const blocks = values.flatMap((value) => (value instanceof Blob ? [value.size] : []));
  return { blocks, numOthers: values.length - blocks.length };
}

/** Puts something else under the key of `part`, behind the store's back. */
async function damage(database: string, part: readonly unknown[], change: (value: unknown) => unknown) {
  const raw: UseStore = createStore(database, 'sessions');
  const found = (await entries(raw)).find(([each]) => JSON.stringify(each) === JSON.stringify(part));
  if (found === undefined) throw new Error(`there is no ${JSON.stringify(part)}`);
  await raw('readwrite', (store) => void store.put(change(found[1]), found[0]));
}

const flipped = (bytes: Uint8Array<ArrayBuffer>) => bytes.with(17, (bytes[17] ?? 0) ^ 4);

const full = () => {
  throw new DOMException('no room', 'QuotaExceededError');
};
const wait = () => new Promise((resolve) => setTimeout(resolve, 2));

afterEach(() => vi.restoreAllMocks());

describe('SessionStore', () => {
  it('gives back what was written, as long as model and layout are the same', async () => {
    const store = new SessionStore('sessions a');
    const talk = tokens(11, 5);
    await saveNew(store, 'talk', talk);
    expect(await store.read('talk', key)).toEqual(sessionOf(talk));
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
      expect(await store.unchangedBlocks('talk', other, talk, BLOCK_TOKENS)).toEqual([]);
    }
    // it waits for its own model
    expect(await store.read('talk', key)).toEqual(sessionOf(talk));
    await store.delete('talk');
    expect(await store.read('talk', key)).toBeNull();
  });

  it('says how much it keeps, and forgets it all', async () => {
    const store = new SessionStore('sessions b');
    expect(await store.size()).toEqual({ count: 0, bytes: 0 });
    await saveNew(store, 'talk', tokens(3));
    await saveNew(store, 'more', tokens(9));
    expect(await store.size()).toEqual({ count: 2, bytes: 12 * ID_BYTES + 4 * BLOCK_BYTES });
    await store.clear();
    expect(await store.size()).toEqual({ count: 0, bytes: 0 });
    expect(await store.read('talk', key)).toBeNull();
    expect(await keys(createStore('sessions b', 'sessions'))).toEqual([]);
  });

  it('deletes all parts of one, and none of another', async () => {
    const store = new SessionStore('sessions delete');
    await saveNew(store, 'talk', tokens(9));
    await saveNew(store, 'talk show', tokens(3));
    await store.delete('talk');
    expect(await keys(createStore('sessions delete', 'sessions'))).toEqual([
      ['block', 'talk show', 0],
      ['manifest', 'talk show'],
    ]);
  });

  it('removes what earlier versions kept whole, with the first change', async () => {
    const raw = createStore('sessions old', 'sessions');
    await raw('readwrite', (store) => void store.put({ contents: new Blob(['old']) }, 'talk'));
    const store = new SessionStore('sessions old');
    expect(await store.read('talk', key)).toBeNull();
    await saveNew(store, 'other', tokens(3));
    expect(await keys(raw)).not.toContain('talk');
    await raw('readwrite', (store) => void store.put({ contents: new Blob(['old']) }, 'talk'));
    await store.delete('talk');
    expect(await keys(raw)).toHaveLength(2);
  });

  it('gives up the oldest, and never what it has just written, where there is little room', async () => {
    const store = new SessionStore('sessions c');
    const bytes = 3 * ID_BYTES + BLOCK_BYTES;
    for (const id of ['one', 'two', 'three']) {
      expect(await saveWhole(store, id, tokens(3), 2 * bytes)).toBe(true);
      // the order is that of the clock
      await wait();
    }
    expect(await store.size()).toEqual({ count: 2, bytes: 2 * bytes });
    expect(await store.read('one', key)).toBeNull();
    // written again it is the youngest, even if nothing of it is new
    expect(await saveNew(store, 'two', tokens(3), 2 * bytes)).toEqual({ isSaved: true, numBlocks: 0 });
    await wait();
    await saveNew(store, 'four', tokens(3), 2 * bytes);
    expect(await store.read('three', key)).toBeNull();
    expect(await store.read('two', key)).toEqual(sessionOf(tokens(3)));
    expect(await saveWhole(store, 'large', tokens(3), bytes - 1)).toBe(false);
    expect(await store.read('four', key)).toEqual(sessionOf(tokens(3)));
    expect(await store.read('large', key)).toBeNull();
  });

  it('makes room when the browser has none, and says so when that does not help', async () => {
    const store = new SessionStore('sessions d');
    await saveNew(store, 'old', tokens(3));
    const put = vi.spyOn(IDBObjectStore.prototype, 'put');
    put.mockImplementationOnce(full);
    expect(await saveWhole(store, 'new', tokens(3))).toBe(true);
    expect(await store.read('old', key)).toBeNull();
    put.mockImplementation(full);
    await expect(saveWhole(store, 'more', tokens(3))).rejects.toMatchObject({ code: 'quota' });
  });
});

describe('SessionStore, for a conversation that goes on', () => {
  it('writes the new blocks only', async () => {
    const store = new SessionStore('sessions next');
    const first = tokens(30);
    expect(await writtenBy(() => saveNew(store, 'talk', first))).toEqual({
      blocks: Array(8).fill(BLOCK_BYTES),
      numOthers: 1,
    });
    // the eighth block was not full
    const second = [...first, ...tokens(5, 100)];
    expect(await writtenBy(() => saveNew(store, 'talk', second))).toEqual({
      blocks: [BLOCK_BYTES, BLOCK_BYTES],
      numOthers: 1,
    });
    expect(await store.read('talk', key)).toEqual(sessionOf(second));
    expect(await writtenBy(() => saveNew(store, 'talk', second))).toEqual({ blocks: [], numOthers: 1 });
  });

  it('removes what was taken back, and writes what came instead', async () => {
    const store = new SessionStore('sessions rewind');
    await saveNew(store, 'talk', tokens(30));
    const edited = [...tokens(9), ...tokens(6, 200)];
    // two full blocks are those of before
    expect(await saveNew(store, 'talk', edited)).toEqual({ isSaved: true, numBlocks: 2 });
    expect(await store.read('talk', key)).toEqual(sessionOf(edited));
    expect(await store.size()).toEqual({ count: 1, bytes: 15 * ID_BYTES + 4 * BLOCK_BYTES });
    expect(await keys(createStore('sessions rewind', 'sessions'))).toHaveLength(4 + 1);
    // what is left is the start of what is stored: a block may hold more
    expect(await saveNew(store, 'talk', edited.slice(0, 10))).toEqual({ isSaved: true, numBlocks: 0 });
    const left = await store.read('talk', key);
    expect(left?.tokenIds).toEqual(edited.slice(0, 10));
    expect(left?.contents).toEqual(contentsOf(edited.slice(0, 12)));
    // and is known for what it is when the conversation goes on
    const onwards = [...edited.slice(0, 10), 300, 301, 302];
    expect(await saveNew(store, 'talk', onwards)).toEqual({ isSaved: true, numBlocks: 2 });
    expect(await store.read('talk', key)).toEqual(sessionOf(onwards));
  });

  it.each([1, 2, 3])('stays as it was when the save ends at record %i', async (numPut) => {
    const database = `sessions interrupted ${numPut}`;
    const store = new SessionStore(database);
    await saveNew(store, 'talk', tokens(14));
    const before = await keys(createStore(database, 'sessions'));
    const original = IDBObjectStore.prototype.put;
    let count = 0;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...record) {
      if (++count === numPut) throw new DOMException('the tab ends', 'UnknownError');
      return original.apply(this, record);
    });
    const edited = [...tokens(9), ...tokens(6, 200)];
    await expect(saveNew(store, 'talk', edited)).rejects.toMatchObject({ code: 'storage' });
    expect(count).toBe(numPut);
    vi.restoreAllMocks();
    expect(await store.read('talk', key)).toEqual(sessionOf(tokens(14)));
    expect(await keys(createStore(database, 'sessions'))).toEqual(before);
    // nothing stands in the way of the next one
    expect(await saveNew(store, 'talk', edited)).toEqual({ isSaved: true, numBlocks: 2 });
    expect(await store.read('talk', key)).toEqual(sessionOf(edited));
  });

  it('is left to another tab that has saved or deleted it meanwhile', async () => {
    const [store, other] = [new SessionStore('sessions tabs'), new SessionStore('sessions tabs')];
    await saveNew(store, 'talk', tokens(12));
    const longer = [...tokens(12), 50];
    const unchanged = await store.unchangedBlocks('talk', key, longer, BLOCK_TOKENS);
    expect(unchanged).toHaveLength(3);
    const change = {
      tokenIds: longer,
      unchanged,
      contents: contentsOf(longer, 3),
      blockBytes: BLOCK_BYTES,
    };
    const theirs = [...tokens(6), ...tokens(6, 70)];
    await saveNew(other, 'talk', theirs);
    expect(await store.write('talk', key, change)).toBe(false);
    expect(await store.read('talk', key)).toEqual(sessionOf(theirs));
    await other.delete('talk');
    expect(await store.write('talk', key, change)).toBe(false);
    expect(await keys(createStore('sessions tabs', 'sessions'))).toEqual([]);
  });

  it.each([
    ['block', ['block', 'talk', 1], () => new Blob([flipped(contentsOf(tokens(8), 1))])],
    ['short block', ['block', 'talk', 2], () => new Blob(['x'])],
    [
      'list of ids',
      ['manifest', 'talk'],
      (manifest: unknown) => ({ ...Object(manifest), tokenIds: Uint32Array.from([...tokens(8), 99]) }),
    ],
  ])('does not give a damaged %s, and stores all of it again', async (what, part, change) => {
    const database = `sessions damaged ${what}`;
    const store = new SessionStore(database);
    await saveNew(store, 'talk', tokens(9));
    await damage(database, part, change);
    expect(await store.read('talk', key)).toBeNull();
    expect(await saveNew(store, 'talk', tokens(9))).toEqual({ isSaved: true, numBlocks: 3 });
    expect(await store.read('talk', key)).toEqual(sessionOf(tokens(9)));
  });

  it('does not give one of which a block is missing', async () => {
    const store = new SessionStore('sessions missing');
    await saveNew(store, 'talk', tokens(9));
    const raw = createStore('sessions missing', 'sessions');
    await raw('readwrite', (parts) => void parts.delete(['block', 'talk', 1]));
    expect(await store.read('talk', key)).toBeNull();
  });
});
