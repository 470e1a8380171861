import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LoadOptions, ModelRef } from '../../src/index';
import type { PageModel } from '../../web/state/models';
import { stubPage } from './stub-page';

const inspect = vi.hoisted(() => vi.fn<(model: ModelRef, options: LoadOptions) => Promise<object>>());

vi.mock('../../src/index', async (original) => ({
  ...(await original<typeof import('../../src/index')>()),
  createEngine: () => ({ listCached: async () => [], inspect }),
}));

async function load() {
  stubPage();
  return {
    ...(await import('../../web/state/load-settings')),
    ...(await import('../../web/state/model-choosing')),
    ...(await import('../../web/state/offer')),
  };
}

let page: Awaited<ReturnType<typeof load>>;

beforeAll(async () => {
  page = await load();
});

beforeEach(() => {
  inspect.mockReset();
  inspect.mockResolvedValue({ cached: false });
});

const MODEL: PageModel = {
  kind: 'hub',
  id: 'owner/name',
  host: 'huggingface',
  weightBits: 4,
  isComplete: false,
};

/** What the engine was last asked to inspect the model with. */
async function lastOptions(): Promise<LoadOptions | undefined> {
  await vi.waitFor(() => expect(page.offer.value?.isLooking).toBe(false));
  return inspect.mock.lastCall?.[1];
}

describe('the longest conversation of a model', () => {
  it('is what was chosen last, on the memory page or in the offer', async () => {
    page.changeLoadChoice(MODEL.id, { contextLength: 2048, kvBits: 4, math: 'f32' });
    page.chooseNew(MODEL);
    expect(await lastOptions()).toMatchObject({ contextLength: 2048, kvBits: 4, math: 'f32' });
    page.changeLoadChoice(MODEL.id, { contextLength: 2048, kvBits: 4 });
    await page.offerContext(MODEL, 16384);
    expect(await lastOptions()).toMatchObject({ contextLength: 16384, kvBits: 4 });
    // the memory page shows the same
    expect(page.loadChoice(MODEL.id)).toEqual({ contextLength: 16384, kvBits: 4 });
    page.changeLoadChoice(MODEL.id, { kvBits: 4 });
    await page.offerModel(MODEL);
    expect(await lastOptions()).not.toHaveProperty('contextLength');
  });

  it('belongs to that model alone', async () => {
    page.chooseContext(MODEL.id, 4096);
    page.chooseNew({ ...MODEL, id: 'owner/other' });
    expect(await lastOptions()).not.toHaveProperty('contextLength');
    page.closeOffer();
  });
});
