import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ErrorCode, TabmindError } from '../../src/errors';
import { NOTHING_LOADED } from '../../src/llm/nothing-loaded';
import type { ErrorAction } from '../../web/state/error-action';
import { stubPage } from './stub-page';

async function load() {
  stubPage();
  return {
    ...(await import('../../web/i18n/en')),
    ...(await import('../../web/state/conversation')),
    ...(await import('../../web/state/dialog')),
    ...(await import('../../web/state/engine')),
    ...(await import('../../web/state/error-action')),
    ...(await import('../../web/state/heads')),
    ...(await import('../../web/state/model-view')),
    ...(await import('../../web/state/models')),
  };
}

let page: Awaited<ReturnType<typeof load>>;

beforeAll(async () => {
  page = await load();
});

afterEach(() => page.selectModel(page.STARTER));

const actionsFor = (code: ErrorCode, details = {}): readonly ErrorAction[] =>
  page.errorActions(new TabmindError(code, 'It failed.', { details }));

describe('an error', () => {
  it('always has something to do about it, in words', () => {
    const { texts, actions } = page.en.error;
    const codes = Object.keys(texts) as readonly ErrorCode[];
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) {
      const offered = actionsFor(code);
      expect(offered.length, code).toBeGreaterThan(0);
      expect(new Set(offered).size, code).toBe(offered.length);
      expect(offered.map((action) => actions[action]).every(Boolean), code).toBe(true);
    }
  });

  it.each<[ErrorCode, readonly ErrorAction[]]>([
    ['no-webgpu', ['retry']],
    ['device-lost', ['reload-model']],
    ['out-of-memory', ['reload-model', 'memory-settings']],
    ['device-limits', ['choose-model', 'memory-settings']],
    ['network', ['retry']],
    ['quota', ['free-space', 'retry']],
    ['bad-checkpoint', ['retry', 'choose-model']],
  ])('of the kind %s offers its remedies', (code, expected) => {
    expect(actionsFor(code)).toEqual(expected);
    page.addModel({ kind: 'hub', id: 'a/b', host: 'huggingface', weightBits: 4, isComplete: false });
    const [added] = page.addedModels.value;
    if (added) page.selectModel(added);
    expect(actionsFor(code)).toEqual([...expected, 'use-starter']);
  });

  it('of a full context offers more room, and once it is there, another try', () => {
    const question = (id: string, parent: string | null) =>
      [id, { role: 'user', id, parent, text: 'How?', createdMs: 0 }] as const;
    page.messagesOf(page.openId.value).value = new Map([question('q1', null), question('q2', 'q1')]);
    const head = page.newHead(page.openId.value);
    page.putHead({ ...head, leaf: 'q1' });
    expect(actionsFor('context-full')).toEqual(['memory-settings', 'new-chat']);
    page.putHead({ ...head, leaf: 'q2' });
    expect(actionsFor('context-full')).toEqual(['drop-oldest', 'memory-settings', 'new-chat']);
    page.putHead({ ...head, leaf: 'q2', dropsOldest: true });
    expect(actionsFor('context-full', { maxTokens: 64 })).toEqual(['memory-settings', 'new-chat']);
    const model = { contextLength: 128 } as NonNullable<typeof NOTHING_LOADED.model>;
    page.stats.value = { ...NOTHING_LOADED, model, kvBlocksTotal: 3, kvBlockTokens: 32 };
    expect(actionsFor('context-full', { maxTokens: 64 })).toEqual(['retry', 'new-chat']);
    expect(actionsFor('context-full', { maxTokens: 96 })).toEqual(['memory-settings', 'new-chat']);
    page.stats.value = null;
    page.unload(page.openId.value);
    page.putHead(head);
  });

  it('opens the memory settings, and the catalogue', async () => {
    await page.runErrorAction('memory-settings');
    expect([page.openDialog.value, page.settingsSection.value]).toEqual(['settings', 'memory']);
    await page.runErrorAction('choose-model');
    expect(page.pickerView.value).toBe('catalog');
  });
});
