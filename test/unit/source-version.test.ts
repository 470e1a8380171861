import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { cachedRevision, deleteOldVersions } from '../../src/weights/cached-revision';
import { type OpenedModel, openModel } from '../../src/weights/model-source';
import type { VersionedSource } from '../../src/weights/versioned-source';
import { type WeightIdentity, weightIdentity } from '../../src/weights/weight-identity';
import { modelKey, WeightStore } from '../../src/weights/weight-store';
import { MemorySource } from '../reference/memory-source';

let numDatabases = 0;
const newStore = () => new WeightStore(`versions ${numDatabases++}`);
const FOUR_BITS = weightIdentity({ id: 'a/b', url: '' }, {});
const OFFLINE = new TabmindError('network', 'offline');

/** A reference whose source has this version now, or fails with this error. */
function opened(version: string | null | Error, revision = 'main'): OpenedModel {
  const source: VersionedSource = Object.assign(new MemorySource(), {
    version: async () => {
      if (version instanceof Error) throw version;
      return version;
    },
  });
  return { source, id: 'a/b', revision, isPinned: false };
}

/** Leaves a model in the store; without a manifest it is a conversion that was cut short. */
async function keep(
  store: WeightStore,
  revision: string,
  change: Partial<WeightIdentity> = {},
  complete = true,
) {
  const identity = { ...FOUR_BITS, revision, ...change };
  const key = modelKey(identity, 'f'.repeat(64));
  await store.writeChunk(key, identity, 0, Uint8Array.of(1, 2, 3, 4));
  const rest = {
    fingerprint: '',
    configHash: '',
    tableHash: '',
    chunkBytes: 256,
    imageBytes: 4,
    chunks: ['x'],
  };
  const texts = {
    config: '{}',
    generationConfig: null,
    tokenizer: null,
    tokenizerConfig: null,
    chatTemplate: null,
  };
  const manifest = { ...rest, key, identity } as unknown as Parameters<WeightStore['complete']>[0];
  if (complete) await store.complete(manifest, texts);
}

describe('cachedRevision', () => {
  it('joins what was asked for with what the source has now', async () => {
    expect(await cachedRevision(opened('c1'), newStore(), FOUR_BITS)).toBe('main@c1');
    expect(await cachedRevision(opened('c2'), null, FOUR_BITS)).toBe('main@c2');
    expect(await cachedRevision(opened('c1', ''), null, FOUR_BITS)).toBe('@c1');
  });

  it('is the revision itself where that is all there is to know', async () => {
    expect(await cachedRevision(opened(null), newStore(), FOUR_BITS)).toBe('main');
    expect(await cachedRevision(opened('c1', 'c1'), newStore(), FOUR_BITS)).toBe('c1');
  });

  it('does not ask where the reference names the version', async () => {
    const pinned = { ...opened(OFFLINE, 'v7'), isPinned: true };
    expect(await cachedRevision(pinned, newStore(), FOUR_BITS)).toBe('v7');
    const reference = { id: 'x', url: 'https://example.org/m/', revision: 'v7' };
    expect(openModel(reference)).toMatchObject({ revision: 'v7', isPinned: true });
    expect(openModel({ ...reference, revision: '' }).isPinned).toBe(false);
  });

  it('notices that a branch has moved, although an older version is stored', async () => {
    const store = newStore();
    await keep(store, 'main@c1');
    expect(await cachedRevision(opened('c2'), store, FOUR_BITS)).toBe('main@c2');
  });

  it('takes the stored version when the source cannot be asked', async () => {
    const store = newStore();
    await keep(store, 'main@c1');
    expect(await cachedRevision(opened(OFFLINE), store, FOUR_BITS)).toBe('main@c1');
    const gated = new TabmindError('network', 'gated');
    expect(await cachedRevision(opened(gated), store, FOUR_BITS)).toBe('main@c1');
  });

  it('takes the stored version of a folder whose files the page no longer has', async () => {
    const store = newStore();
    await keep(store, '@f1', { id: 'folder/mine' });
    const model = openModel({ kind: 'folder', id: 'folder/mine', files: [] });
    expect(await cachedRevision(model, store, FOUR_BITS)).toBe('@f1');
    await expect(cachedRevision(model, newStore(), FOUR_BITS)).rejects.toMatchObject({ code: 'not-found' });
  });

  it.each([
    ['nothing is stored', async () => undefined],
    ['only a part is stored', (store: WeightStore) => keep(store, 'main@c1', {}, false)],
    ['only another branch is stored', (store: WeightStore) => keep(store, 'mainly@c1')],
    ['only other bits are stored', (store: WeightStore) => keep(store, 'main@c1', { weightBits: 8 })],
    ['only another model is stored', (store: WeightStore) => keep(store, 'main@c1', { id: 'a/c' })],
  ])('fails as the source does when %s', async (_, prepare) => {
    const store = newStore();
    await prepare(store);
    await expect(cachedRevision(opened(OFFLINE), store, FOUR_BITS)).rejects.toBe(OFFLINE);
  });

  it('fails without a cache, when cancelled, and for what is no failure of the source', async () => {
    const store = newStore();
    await keep(store, 'main@c1');
    await expect(cachedRevision(opened(OFFLINE), null, FOUR_BITS)).rejects.toBe(OFFLINE);
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(cachedRevision(opened(OFFLINE), store, FOUR_BITS, stop)).rejects.toThrow('enough');
    await expect(cachedRevision(opened(new TypeError('a bug')), store, FOUR_BITS)).rejects.toThrow('a bug');
  });
});

describe('deleteOldVersions', () => {
  it('removes earlier versions of the branch, whatever their bits, and nothing else', async () => {
    const store = newStore();
    await keep(store, 'main@c1');
    await keep(store, 'main@c1', { weightBits: 8 });
    await keep(store, 'main@c0', {}, false);
    await keep(store, 'main@c2');
    await keep(store, 'dev@c1');
    await keep(store, 'main@c1', { id: 'a/c' });
    await deleteOldVersions(opened('c2'), store, 'main@c2');
    const left = (await store.list()).map(({ id, revision }) => `${id} ${revision}`).sort();
    expect(left).toEqual(['a/b dev@c1', 'a/b main@c2', 'a/c main@c1']);
  });
});
