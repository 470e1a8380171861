import { describe, expect, it, vi } from 'vitest';
import { stubPage } from './stub-page';

describe('models that were added', () => {
  it('stay when another tab chooses or finishes one', async () => {
    const kept = stubPage();
    const tab = async () => {
      vi.resetModules();
      return import('../../web/state/models');
    };
    const [one, other] = [await tab(), await tab()];
    const model = { kind: 'hub', host: 'huggingface', id: 'a/b', weightBits: 4, isComplete: false } as const;
    one.addModel(model);
    other.selectModel(other.STARTER);
    other.markComplete(other.STARTER);
    expect(JSON.parse(kept.get('tabmind.models') ?? '')).toMatchObject({ added: [{ id: 'a/b' }] });
    other.addModel({ ...model, id: 'c/d' });
    one.markComplete(model);
    expect(one.addedModels.value).toMatchObject([{ id: 'c/d' }, { id: 'a/b', isComplete: true }]);
    other.forgetModel(model);
    expect(JSON.parse(kept.get('tabmind.models') ?? '').added).toMatchObject([{ id: 'c/d' }]);
  });
});
