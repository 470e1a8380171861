import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { weightIdentity } from '../../src/weights/weight-identity';
import { type Manifest, modelKey, WeightStore } from '../../src/weights/weight-store';

const identity = weightIdentity({ id: 'org/model', url: '' }, {});
const other = weightIdentity({ id: 'org/model', url: '' }, { weightBits: 8 });
const texts = {
  config: '{}',
  generationConfig: null,
  tokenizer: '中文',
  tokenizerConfig: null,
  chatTemplate: 'x',
};
const bytes = Uint8Array.from([1, 2, 3]);
let numStores = 0;

function manifest(key: string, of = identity): Manifest {
  return {
    key,
    identity: of,
    fingerprint: 'f',
    configHash: 'c',
    tableHash: 't',
    chunkBytes: 4,
    imageBytes: 3,
    chunks: ['h'],
  };
}

const newStore = () => new WeightStore(`store ${numStores++}`);

describe('WeightStore', () => {
  it('gives back what was written, with its hash', async () => {
    const store = newStore();
    const hash = await store.writeChunk('k', identity, 0, bytes);
    expect(hash).toBe('039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81');
    expect(await store.readChunk('k', 0)).toEqual({ hash, bytes });
    expect(await store.readChunk('k', 1)).toBeNull();
    expect(await store.readChunk('other', 0)).toBeNull();
  });

  it('knows a model by its manifest', async () => {
    const store = newStore();
    expect(await store.findManifest(identity)).toBeNull();
    await store.complete(manifest('k'), texts);
    expect(await store.findManifest({ ...identity })).toEqual(manifest('k'));
    expect(await store.findManifest(other)).toBeNull();
    expect(await store.findManifest({ ...identity, revision: 'v2' })).toBeNull();
    expect(await store.readTexts('k')).toEqual(texts);
    await store.withdraw('k');
    expect(await store.findManifest(identity)).toBeNull();
  });

  it('lists sizes and tells whole models from begun ones', async () => {
    const store = newStore();
    await store.writeChunk('a', identity, 0, bytes);
    await store.writeChunk('a', identity, 10, bytes);
    await store.writeChunk('a', identity, 9, bytes);
    await store.writeChunk('b', other, 0, bytes);
    await store.writeChunk('c', identity, 0, bytes);
    await store.complete(manifest('a'), texts);
    await store.complete({ ...manifest('c'), convertedAt: 1234 }, texts);
    const model = { id: 'org/model', revision: '' };
    const unknown = { convertedAt: null };
    expect(await store.list()).toEqual([
      { ...model, ...unknown, key: 'a', bytes: 9, complete: true, weightBits: identity.weightBits },
      { ...model, ...unknown, key: 'b', bytes: 3, complete: false, weightBits: other.weightBits },
      { ...model, key: 'c', bytes: 3, complete: true, weightBits: identity.weightBits, convertedAt: 1234 },
    ]);
    expect(await store.chunkIndexes('a')).toEqual([0, 9, 10]);
  });

  it('deletes a model with everything that belongs to it', async () => {
    const store = newStore();
    for (const key of ['a', 'b']) {
      await store.writeChunk(key, identity, 0, bytes);
      await store.complete(manifest(key), texts);
    }
    await store.delete('a');
    expect((await store.list()).map((model) => model.key)).toEqual(['b']);
    expect([await store.readTexts('a'), await store.readChunk('a', 0)]).toEqual([null, null]);
    expect((await store.findManifest(identity))?.key).toBe('b');
  });

  it('removes older versions of the same packing only', async () => {
    const store = newStore();
    const [old, now, wide] = [modelKey(identity, 'old'), modelKey(identity, 'now'), modelKey(other, 'old')];
    for (const [key, of] of [
      [old, identity],
      [now, identity],
      [wide, other],
    ] as const)
      await store.writeChunk(key, of, 0, bytes);
    await store.deleteOthers(identity, now);
    expect((await store.list()).map((model) => model.key).sort()).toEqual([now, wide].sort());
  });

  it('does not take one id for the beginning of another', () => {
    const longer = { ...identity, id: 'org/model-2' };
    expect(modelKey(longer, 'f').startsWith(modelKey(identity, ''))).toBe(false);
  });

  it('says what the browser refused', async () => {
    const store = newStore();
    const refuse = (name: string) => {
      const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('no', name);
      };
      return store.writeChunk('k', identity, 0, bytes).finally(() => {
        IDBObjectStore.prototype.put = put;
      });
    };
    await expect(refuse('QuotaExceededError')).rejects.toMatchObject({ code: 'quota' });
    const failure = refuse('InvalidStateError');
    await expect(failure).rejects.toBeInstanceOf(TabmindError);
    await expect(failure).rejects.toMatchObject({ code: 'storage' });
  });
});
