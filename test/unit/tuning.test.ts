import 'fake-indexeddb/auto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../src/engine/engine';
import { GREEDY } from '../../src/engine/sampling-params';
import { TabmindError } from '../../src/errors';
import { KeptTuning, tuningKey } from '../../src/llm/kept-tuning';
import { type TunedModel, tune } from '../../src/llm/tuning';
import type { ResidentTile } from '../../src/model-ref';
import { weightIdentity } from '../../src/weights/weight-identity';
import { WeightStore } from '../../src/weights/weight-store';

const identity = weightIdentity({ id: 'org/model', url: '' }, {});
const MODEL = 'key of the model';
const TILE: ResidentTile = { workgroups: 132, threads: 512, depth: 2 };
const GPU = {
  info: {
    ...{ vendor: 'nvidia', architecture: 'hopper', description: 'H100', subgroupSize: 32, f16: true },
    features: ['shader-f16', 'subgroups'],
  },
  math: 'f32',
  subgroupSize: 32,
  immediates: true,
} as const;
const KEY = tuningKey(GPU, 8);
let numStores = 0;

/** A store that holds the model whole. */
async function storeWithModel(): Promise<WeightStore> {
  const store = new WeightStore(`tuning ${numStores++}`);
  const hash = await store.writeChunk(MODEL, identity, 0, Uint8Array.of(1));
  await store.complete(
    {
      ...{ key: MODEL, identity, fingerprint: 'f', configHash: 'c', tableHash: 't' },
      ...{ chunkBytes: 4, imageBytes: 1, chunks: [hash] },
    },
    { config: '{}', generationConfig: null, tokenizer: null, tokenizerConfig: null, chatTemplate: null },
  );
  return store;
}

async function opened(store: WeightStore, key = KEY) {
  const kept = new KeptTuning(store, identity, key);
  return { kept, known: await kept.read() };
}

afterEach(() => vi.restoreAllMocks());

describe('tuningKey', () => {
  it('is another one for everything that another choice may be right for', () => {
    const { info } = GPU;
    const others = [
      tuningKey({ ...GPU, info: { ...info, vendor: 'amd' } }, 8),
      tuningKey({ ...GPU, info: { ...info, architecture: 'ampere' } }, 8),
      tuningKey({ ...GPU, info: { ...info, description: 'A100' } }, 8),
      tuningKey({ ...GPU, info: { ...info, features: ['subgroups'] } }, 8),
      tuningKey({ ...GPU, math: 'f16' }, 8),
      tuningKey({ ...GPU, subgroupSize: 0 }, 8),
      tuningKey({ ...GPU, immediates: false }, 8),
      tuningKey(GPU, 16),
    ];
    expect(new Set([KEY, ...others]).size).toBe(1 + others.length);
  });

  it('does not depend on the order of features', () => {
    const features = [...GPU.info.features].reverse();
    expect(tuningKey({ ...GPU, info: { ...GPU.info, features } }, 8)).toBe(KEY);
  });
});

describe('KeptTuning', () => {
  it.each([TILE, null])('gives back what was written: %o', async (tile) => {
    const store = await storeWithModel();
    const { kept, known } = await opened(store);
    expect(known).toBeNull();
    await kept.write({ tile });
    expect((await opened(store)).known).toEqual({ tile });
  });

  it('removes what belongs to another key', async () => {
    const store = await storeWithModel();
    await (await opened(store)).kept.write({ tile: TILE });
    expect((await opened(store, tuningKey(GPU, 16))).known).toBeNull();
    expect((await opened(store)).known).toBeNull();
  });

  it.each([
    'text',
    7,
    {},
    { key: KEY },
    { key: KEY, tile: 'text' },
    { key: KEY, tile: {} },
    { key: KEY, tile: { ...TILE, workgroups: 0 } },
    { key: KEY, tile: { ...TILE, threads: Number.NaN } },
    { key: KEY, tile: { ...TILE, depth: '2' } },
  ])('does not believe %o, and removes it', async (stored) => {
    const store = await storeWithModel();
    await store.writeTuning(MODEL, stored);
    expect((await opened(store)).known).toBeNull();
    expect(await store.readTuning(MODEL)).toBeNull();
  });

  it('goes with the model', async () => {
    const store = await storeWithModel();
    const { kept } = await opened(store);
    await kept.write({ tile: TILE });
    await store.delete(MODEL);
    expect(await store.readTuning(MODEL)).toBeNull();
    // by a tab that still has the model loaded
    await kept.write({ tile: TILE });
    expect(await store.readTuning(MODEL)).toBeNull();
    expect(await store.list()).toEqual([]);
  });

  it('keeps nothing for a model that is not in the cache', async () => {
    const store = new WeightStore(`tuning ${numStores++}`);
    const { kept, known } = await opened(store);
    expect(known).toBeNull();
    await kept.write({ tile: TILE });
    expect((await opened(store)).known).toBeNull();
  });

  it('reports a storage that fails, and goes on', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const store = await storeWithModel();
    const { kept } = await opened(store);
    const failure = new Error('no storage');
    vi.spyOn(store, 'findManifest').mockRejectedValue(failure);
    vi.spyOn(store, 'writeTuning').mockRejectedValue(failure);
    expect((await opened(store)).known).toBeNull();
    await kept.write({ tile: TILE });
    expect(warn.mock.calls.map(([, thrown]) => thrown)).toEqual([failure, failure]);
  });
});

/** A model as a load leaves it, on a card where `best` is fastest, and what is done with it. */
function loadedModel(store: WeightStore | null, best: ResidentTile | null, others = Promise.resolve()) {
  const did: string[] = [];
  const lost: (() => void)[] = [];
  let isClosed = false;
  let finishStep = () => {};
  const ids = new Promise<Uint32Array>((resolve) => {
    finishStep = () => resolve(Uint32Array.of(1));
  });
  const engine = new Engine(
    {
      ...{ maxSlots: 2, maxChunkTokens: 32, maxVerifiedRows: 8 },
      startSlot: () => {},
      submit: () => ({ ids }),
      recover: () => {},
    },
    { numBlocks: 4, blockTokens: 32, contextLength: 64, eosTokenIds: [] },
  );
  const model: TunedModel = {
    runner: { prepareRow: () => did.push('prepare'), onLayersLost: (listener) => lost.push(listener) },
    engine,
    kept: store && new KeptTuning(store, identity, KEY),
    isClosed: () => isClosed,
    others,
    layers: async () => {
      did.push('fetch');
      return {
        request: () => did.push('request') > 0,
        ready: async () => void did.push('compile'),
        choose: async () => {
          did.push('try out');
          return best;
        },
        use: async (tile) => void did.push(`use ${tile?.workgroups}`),
      };
    },
  };
  return {
    ...{ model, did, engine, finishStep },
    lose: () => {
      for (const listener of lost) listener();
    },
    close: () => {
      isClosed = true;
    },
  };
}

const TRIED_OUT = ['fetch', 'request', 'compile', 'prepare', 'try out'];

describe('tune', () => {
  it('tries out at the first load, and does what it has found at the second', async () => {
    const store = await storeWithModel();
    const [first, second] = [loadedModel(store, TILE), loadedModel(store, null)];
    await tune(first.model);
    expect(first.did).toEqual(TRIED_OUT);
    await tune(second.model);
    expect(second.did).toEqual(['fetch', 'use 132']);
  });

  it('fetches nothing where each kernel is better off on its own', async () => {
    const store = await storeWithModel();
    await tune(loadedModel(store, null).model);
    const second = loadedModel(store, TILE);
    await tune(second.model);
    expect(second.did).toEqual([]);
  });

  it('tries out at every load where nothing can be kept', async () => {
    for (let load = 0; load < 2; load++) {
      const { model, did } = loadedModel(null, TILE);
      await tune(model);
      expect(did).toEqual(TRIED_OUT);
    }
  });

  it('forgets what has failed', async () => {
    const store = await storeWithModel();
    await tune(loadedModel(store, TILE).model);
    const second = loadedModel(store, TILE);
    await tune(second.model);
    second.lose();
    const third = loadedModel(store, TILE);
    await tune(third.model);
    expect(third.did).toEqual(TRIED_OUT);
  });

  it('forgets what cannot be built any more, and reports it', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const store = await storeWithModel();
    await tune(loadedModel(store, TILE).model);
    const { model } = loadedModel(store, TILE);
    const failure = new TabmindError('shader', 'refused');
    const layers = async () => ({ ...(await model.layers()), use: () => Promise.reject(failure) });
    await tune({ ...model, layers });
    expect(warn).toHaveBeenCalledWith(expect.any(String), failure);
    expect((await opened(store)).known).toBeNull();
  });

  it('takes what is known while something runs, and tries out only when nothing does', async () => {
    const store = await storeWithModel();
    const first = loadedModel(store, TILE);
    const answer = first.engine.add({
      ...{ id: 'a', promptIds: [1] },
      params: { ...GREEDY, maxTokens: 1 },
    });
    const tuned = tune(first.model);
    await vi.waitFor(() => expect(first.did).toContain('compile'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(first.did).not.toContain('try out');
    first.finishStep();
    await answer;
    await tuned;
    expect(first.did).toEqual(TRIED_OUT);
    const second = loadedModel(store, TILE);
    const running = second.engine.add({
      ...{ id: 'a', promptIds: [1] },
      params: { ...GREEDY, maxTokens: 1 },
    });
    await tune(second.model);
    expect(second.did).toEqual(['fetch', 'use 132']);
    second.finishStep();
    await running;
  });

  it('takes what is known while other pipelines compile, and tries out only when none do', async () => {
    const store = await storeWithModel();
    let finish = () => {};
    const others = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const first = loadedModel(store, TILE, others);
    const tuned = tune(first.model);
    await vi.waitFor(() => expect(first.did).toContain('compile'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(first.did).not.toContain('try out');
    finish();
    await tuned;
    expect(first.did).toEqual(TRIED_OUT);
    const second = loadedModel(store, TILE, new Promise(() => {}));
    await tune(second.model);
    expect(second.did).toEqual(['fetch', 'use 132']);
  });

  it('does nothing to a model that was closed meanwhile', async () => {
    const store = await storeWithModel();
    await tune(loadedModel(store, TILE).model);
    const { model, did, close } = loadedModel(store, TILE);
    close();
    await tune(model);
    expect(did).toEqual([]);
    expect((await opened(store)).known).toEqual({ tile: TILE });
  });
});
