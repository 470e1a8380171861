import 'fake-indexeddb/auto';
import { effect } from '@preact/signals';
import { describe, expect, it, vi } from 'vitest';
import { keepPrompt, loadPrompts, ownPrompts, removePrompt } from '../../web/state/prompts';

vi.hoisted(() => vi.stubGlobal('navigator', { languages: ['en'], userAgent: '' }));
vi.hoisted(() => vi.stubGlobal('addEventListener', () => undefined));

const {
  chosenIndex,
  closePromptMenu,
  forgetClosing,
  isPromptWanted,
  moveChoice,
  offeredPrompts,
  promptsFor,
} = await import('../../web/state/prompt-menu');
const { setDraft } = await import('../../web/state/drafts');

const offered = () => offeredPrompts.value.map(({ name }) => name);

describe('own prompts', () => {
  it('are kept, rewritten in their place, and deleted', async () => {
    await loadPrompts();
    expect(ownPrompts.value).toEqual([]);
    await keepPrompt(' One ', 'first');
    await keepPrompt('Two', 'second');
    const [one] = ownPrompts.value ?? [];
    await keepPrompt('One', 'another first', one);
    expect(ownPrompts.value?.map(({ name, text }) => [name, text])).toEqual([
      ['One', 'another first'],
      ['Two', 'second'],
    ]);
    await removePrompt(one?.id ?? '');
    expect(ownPrompts.value?.map(({ name }) => name)).toEqual(['Two']);
  });

  it('are read again when another tab has changed them', async () => {
    const [two] = ownPrompts.value ?? [];
    ownPrompts.value = [];
    const other = new BroadcastChannel('tabmind-prompts');
    other.postMessage('changed');
    await vi.waitFor(() => expect(ownPrompts.value).toEqual([two]));
    other.close();
  });
});

describe('the list behind a slash', () => {
  it('opens at the start of a message only, own prompts first', () => {
    setDraft('a / b');
    expect(isPromptWanted.value).toBe(false);
    expect(offered()).toEqual([]);
    for (const start of ['/', '／', '、']) {
      setDraft(start);
      expect(offered().slice(0, 2)).toEqual(['Two', 'Summarize']);
    }
    setDraft('/usr/bin\nis a folder');
    expect(offered()).toEqual([]);
  });

  it('shows what fits, and nothing that could not be meant', () => {
    setDraft('/CODE');
    expect(offered()).toEqual(['Review code']);
    setDraft('/etc/hosts');
    expect(offered()).toEqual([]);
    const named = (name: string) => ({ key: name, name, text: '' });
    expect(promptsFor([named('Unit'), named('Item'), named('Knit')], 'it').map(({ name }) => name)).toEqual([
      'Item',
      'Unit',
      'Knit',
    ]);
  });

  it('is gone through with the arrow keys, and begins anew with another text', () => {
    setDraft('/');
    const count = offered().length;
    expect(count).toBeGreaterThan(2);
    moveChoice(1);
    moveChoice(1);
    expect(chosenIndex.value).toBe(2);
    for (let step = 0; step < 3; step++) moveChoice(-1);
    expect(chosenIndex.value).toBe(count - 1);
    moveChoice(1);
    expect(chosenIndex.value).toBe(0);
    moveChoice(1);
    setDraft('/t');
    expect(chosenIndex.value).toBe(0);
  });

  it('stays closed until something else is typed', () => {
    const stop = effect(forgetClosing);
    setDraft('/s');
    expect(offered()).not.toEqual([]);
    closePromptMenu();
    expect(offered()).toEqual([]);
    setDraft('/su');
    expect(offered()).toEqual(['Summarize']);
    setDraft('/s');
    expect(offered()).not.toEqual([]);
    stop();
    setDraft('');
  });
});
