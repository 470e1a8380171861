import 'fake-indexeddb/auto';
import { createStore, get, keys, set } from 'idb-keyval';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TabmindError } from '../../src/errors';
import type { LoadProgress } from '../../src/model-ref';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { readModelTexts } from '../../src/weights/model-texts';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights, type WeightRequest } from '../../src/weights/weight-loader';
import { WeightStore } from '../../src/weights/weight-store';
import { FolderSource } from '../reference/folder-source';
import { CpuDevice } from '../reference/slab-memory';

const CHUNK = 1024;
let numDatabases = 0;

/** One load as a page does it. */
async function load(
  source: FolderSource,
  store: WeightStore | null,
  change: Partial<WeightRequest> = {},
  device = new CpuDevice(),
) {
  const identity = weightIdentity({ id: 'm', url: '' }, {});
  const texts = await readModelTexts(source, store, identity);
  const config = parseModelConfig(texts.config, texts.generationConfig);
  const specs = architectureOf(config.modelType).weights(config);
  return fillWeights({ source, texts, specs, identity, store, chunkBytes: CHUNK, ...change }, device);
}

function newStore() {
  const database = `weights ${numDatabases++}`;
  return { database, store: new WeightStore(database), parts: createStore(database, 'parts') };
}

const tiny = () => new FolderSource('malformed/valid-base');

/** A server that is gone. */
function goneSource(): FolderSource {
  const source = tiny();
  const fail = () => Promise.reject(new TabmindError('network', 'gone'));
  return Object.assign(source, { readText: fail, tryReadText: fail, size: fail, readRange: fail });
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('fillWeights', () => {
  it('gives the same image with and without a cache, in any number of slabs', async () => {
    const plain = await load(tiny(), null);
    expect(plain.memory.image.some((byte) => byte !== 0)).toBe(true);
    const { store } = newStore();
    const small = await load(tiny(), store, {}, new CpuDevice(4500));
    expect(small.layout.slabs.length).toBeGreaterThan(2);
    expect(plain.layout.slabs.length).toBe(1);
    expect(small.memory.image).toEqual(plain.memory.image);
    expect([plain.fromCache, small.fromCache]).toEqual([false, false]);
    for (const { byteOffset, slab, imageOffset } of small.layout.tensors) {
      expect(byteOffset % 256).toBe(0);
      expect((small.layout.slabs[slab]?.start ?? -1) + byteOffset).toBe(imageOffset);
    }
  });

  it('needs nothing from the server on the second visit', async () => {
    const { store } = newStore();
    const first = await load(tiny(), store);
    const source = goneSource();
    const progress: LoadProgress[] = [];
    const second = await load(source, store, { onProgress: (step) => progress.push(step) });
    expect(second.fromCache).toBe(true);
    expect(first.cacheRead).toBeNull();
    const { bytes = 0, totalMs = 0, readMs = 0, uploadMs = 0 } = second.cacheRead ?? {};
    expect(bytes).toBe(first.layout.imageBytes);
    expect(Math.min(readMs, uploadMs, totalMs - readMs - uploadMs)).toBeGreaterThanOrEqual(0);
    expect(totalMs).toBeGreaterThan(0);
    expect(second.memory.image).toEqual(first.memory.image);
    expect(second.memory.packed.size).toBe(0);
    expect(progress.every((step) => step.phase === 'read-cache')).toBe(true);
    expect(progress.at(-1)?.loadedBytes).toBe(first.layout.imageBytes);
  });

  it('counts checkpoint bytes as they come', async () => {
    const progress: LoadProgress[] = [];
    await load(tiny(), null, { onProgress: (step) => progress.push(step) });
    expect(progress[0]?.phase).toBe('inspect');
    const downloads = progress.filter((step) => step.phase === 'download');
    const loaded = downloads.map((step) => step.loadedBytes);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
    expect(downloads.at(-1)?.loadedBytes).toBe(downloads.at(-1)?.totalBytes);
  });

  it('ends right after being killed at any write', async () => {
    const whole = (await load(tiny(), null)).memory.image;
    const put = IDBObjectStore.prototype.put;
    const numChunks = Math.ceil(whole.length / CHUNK);
    expect(numChunks).toBeGreaterThan(8);
    // the texts and the manifest are two puts more
    for (let killAt = 0; killAt < numChunks + 2; killAt++) {
      const { store } = newStore();
      let numPuts = 0;
      vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...value) {
        if (numPuts++ >= killAt) throw new DOMException('killed', 'AbortError');
        return put.apply(this, value);
      });
      await expect(load(tiny(), store)).rejects.toMatchObject({ code: 'storage' });
      vi.restoreAllMocks();
      expect(await store.findManifest(weightIdentity({ id: 'm', url: '' }, {}))).toBeNull();
      const second = await load(tiny(), store);
      expect(second.memory.image).toEqual(whole);
      expect(second.fromCache).toBe(false);
      // what was stored is not made again
      const madeRows = [...second.memory.packed.values()].reduce((sum, rows) => sum + rows, 0);
      if (killAt >= numChunks) expect(madeRows).toBe(0);
      const third = await load(goneSource(), store);
      expect([third.fromCache, third.memory.image]).toEqual([true, whole]);
    }
  });

  it('ends right after the download broke at any piece', async () => {
    const whole = (await load(tiny(), null)).memory.image;
    const { store } = newStore();
    let rounds = 0;
    for (let allowed = 1; ; allowed += 3) {
      const source = tiny();
      const read = source.readRange.bind(source);
      let numReads = 0;
      source.readRange = (...args) =>
        numReads++ < allowed ? read(...args) : Promise.reject(new TabmindError('network', 'gone'));
      const result = await load(source, store).catch((thrown: unknown) => thrown);
      rounds++;
      if (result instanceof TabmindError) {
        expect(result.code).toBe('network');
        continue;
      }
      expect(result).toMatchObject({ memory: { image: whole } });
      break;
    }
    expect(rounds).toBeGreaterThan(2);
  });

  it.each(['changed', 'gone', 'cut'])('makes a %s chunk again, and only that', async (damage) => {
    const { store, parts } = newStore();
    const whole = (await load(tiny(), store)).memory.image;
    const chunkKeys = (await keys<[string, string, number]>(parts)).filter(([kind]) => kind === 'chunk');
    const key = chunkKeys[2] ?? ['chunk', '', 0];
    const record = await get(key, parts);
    const bytes = new Uint8Array(await record.bytes.arrayBuffer());
    bytes[77] = (bytes[77] ?? 0) ^ 1;
    if (damage === 'changed') await set(key, { ...record, bytes: new Blob([bytes]) }, parts);
    else if (damage === 'cut') await set(key, { ...record, bytes: new Blob([bytes.subarray(1)]) }, parts);
    else await set(key, undefined, parts);
    await expect(load(goneSource(), store)).rejects.toMatchObject({ code: 'network' });
    const source = tiny();
    const second = await load(source, store);
    expect(second.memory.image).toEqual(whole);
    expect(second.fromCache).toBe(false);
    expect(second.warnings.join()).toContain('damaged');
    expect(second.memory.packed.size).toBeLessThan(4);
    expect((await load(goneSource(), store)).fromCache).toBe(true);
  });

  it('does not repair from a source that has changed', async () => {
    const { store, parts } = newStore();
    await load(tiny(), store);
    const chunkKeys = (await keys<[string, string, number]>(parts)).filter(([kind]) => kind === 'chunk');
    await set(chunkKeys[0] ?? [], undefined, parts);
    const source = tiny();
    source.overrides.set('config.json', `${await tiny().readText('config.json')} `);
    await expect(load(source, store)).rejects.toMatchObject({ code: 'corrupt-cache' });
    expect(await store.list()).toEqual([]);
    expect((await load(source, store)).fromCache).toBe(false);
  });

  it('starts over when the checkpoint changed between two tries', async () => {
    const { store } = newStore();
    const stop = new AbortController();
    const aborted = load(tiny(), store, {
      signal: stop.signal,
      onProgress: ({ phase, loadedBytes, totalBytes }) => {
        if (phase === 'download' && loadedBytes > totalBytes / 2) stop.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect((await store.list())[0]?.complete).toBe(false);
    const changed = tiny();
    const bytes = await changed.readRange(
      'model.safetensors',
      0,
      (await changed.size('model.safetensors')) ?? 0,
    );
    const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    // another value somewhere in the first tensor
    bytes[8 + headerBytes + 40] = (bytes[8 + headerBytes + 40] ?? 0) ^ 1;
    changed.overrides.set('model.safetensors', bytes);
    const second = await load(changed, store);
    expect(second.memory.image).toEqual((await load(changed, null)).memory.image);
    const models = await store.list();
    expect(models.map((model) => model.complete)).toEqual([true]);
  });

  it('keeps nothing when the disk is full, and says so', async () => {
    const { store } = newStore();
    const put = IDBObjectStore.prototype.put;
    let numPuts = 0;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...value) {
      if (++numPuts === 4) throw new DOMException('full', 'QuotaExceededError');
      return put.apply(this, value);
    });
    const device = new CpuDevice();
    await expect(load(tiny(), store, {}, device)).rejects.toMatchObject({ code: 'quota' });
    expect(device.made.map((memory) => memory.destroyed)).toEqual([true]);
    expect(await store.list()).toEqual([]);
  });

  it('lets one of two tabs convert', async () => {
    let last: Promise<unknown> = Promise.resolve();
    const request = (_: string, __: object, work: () => Promise<unknown>) => {
      last = last.then(work, work);
      return last;
    };
    vi.stubGlobal('navigator', { locks: { request } });
    const { store } = newStore();
    const results = await Promise.all([load(tiny(), store), load(tiny(), store)]);
    expect(results.map((result) => result.fromCache).sort()).toEqual([false, true]);
    expect(results[0]?.memory.image).toEqual(results[1]?.memory.image);
  });

  it('keeps packings of one model apart', async () => {
    const { store } = newStore();
    await load(tiny(), store);
    const wide = weightIdentity({ id: 'm', url: '' }, { weightBits: 16 });
    const source = tiny();
    const result = await load(source, store, { identity: wide });
    expect(result.fromCache).toBe(false);
    expect((await store.list()).length).toBe(2);
    expect((await load(goneSource(), store)).fromCache).toBe(true);
  });

  it('refuses a group that no buffer holds', async () => {
    const device = new CpuDevice(2000);
    await expect(load(tiny(), null, {}, device)).rejects.toMatchObject({ code: 'device-limits' });
    expect(device.made).toEqual([]);
  });
});
