import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type HeadRecord, RECORD_VERSION } from '../../web/storage/conversation-record';
import { ConversationStore } from '../../web/storage/conversation-store';
import { WipedError } from '../../web/storage/generation';

const local = new Map<string, string>();
vi.stubGlobal('localStorage', {
  getItem: (key: string) => local.get(key) ?? null,
  setItem: (key: string, value: string) => local.set(key, value),
  removeItem: (key: string) => local.delete(key),
  key: (index: number) => [...local.keys()][index] ?? null,
  get length() {
    return local.size;
  },
});

/** A page of its own: nothing is shared with another but what is stored. */
async function openPage(): Promise<typeof import('../../web/state/unfinished')> {
  vi.resetModules();
  return import('../../web/state/unfinished');
}

const OTHERS = { 'tabmind.drafts': '{"a":"x"}' };
const kept = () => [...local].filter(([key]) => key.startsWith('tabmind.unfinished')).map(([, text]) => text);

const store = new ConversationStore();
const head: HeadRecord = {
  ...{ id: 'a', title: 'Sky', isNamed: false, isPinned: false, systemPrompt: '', dropsOldest: false },
  ...{ createdMs: 1, updatedMs: 1, leaf: 'old', version: RECORD_VERSION },
};
const message = (id: string) =>
  ({
    version: RECORD_VERSION,
    conversation: 'a',
    id,
    parent: null,
    createdMs: 1,
    role: 'user',
    text: id,
  }) as const;

beforeEach(async () => {
  local.clear();
  for (const [key, text] of Object.entries(OTHERS)) local.set(key, text);
  const generation = await store.clear();
  await store.putMessages([message('old'), message('new')], generation);
  await store.changeHead(head, head, generation);
});

describe('changes that a page could not finish', () => {
  it('are made by the next one, and then forgotten', async () => {
    const { noteChange } = await openPage();
    noteChange('a', { leaf: 'new' });
    noteChange('a', { isPinned: true });
    await (await openPage()).finishChanges(store);
    expect(await store.head('a')).toEqual({ ...head, leaf: 'new', isPinned: true });
    expect(Object.fromEntries(local)).toEqual(OTHERS);
  });

  it('are forgotten when they are in the database', async () => {
    const { noteChange } = await openPage();
    const [first, second] = [noteChange('b', { title: 'x' }), noteChange('b', { isPinned: true })];
    first();
    expect(kept()).toEqual(['{"b":{"isPinned":true}}']);
    second();
    expect(kept()).toEqual([]);
  });

  it('do not overwrite those of another tab', async () => {
    const [one, other] = [await openPage(), await openPage()];
    one.noteChange('a', { leaf: 'new' });
    const done = other.noteChange('a', { isPinned: true });
    expect(kept()).toHaveLength(2);
    done();
    expect(kept()).toEqual(['{"a":{"leaf":"new"}}']);
    other.noteChange('a', { title: 'Sea' });
    await (await openPage()).finishChanges(store);
    expect(await store.head('a')).toEqual({ ...head, leaf: 'new', title: 'Sea' });
    expect(kept()).toEqual([]);
  });

  it('are left to a tab that lives and goes on changing', async () => {
    const { noteChange } = await openPage();
    noteChange('a', { title: 'first' });
    const finished = (await openPage()).finishChanges(store);
    noteChange('a', { title: 'second' });
    await finished;
    expect(await store.head('a')).toEqual(head);
    expect(kept()).toEqual(['{"a":{"title":"second"}}']);
  });

  it('are not made by the page that has them under way', async () => {
    const { noteChange, finishChanges } = await openPage();
    noteChange('a', { title: 'x' });
    await finishChanges(store);
    expect(await store.head('a')).toEqual(head);
    expect(kept()).toHaveLength(1);
  });

  it('are not made when everything is deleted meanwhile', async () => {
    const { noteChange } = await openPage();
    noteChange('a', { leaf: 'new' });
    const looking = new ConversationStore();
    vi.spyOn(looking, 'messages').mockImplementation(async (conversation) => {
      const found = await store.messages(conversation);
      await store.clear();
      return found;
    });
    await expect((await openPage()).finishChanges(looking)).rejects.toThrow(WipedError);
    expect((await store.heads()).items).toEqual([]);
  });

  it.each([
    ['a chat that is gone', '{"c":{"title":"x"}}'],
    ['a message that is gone', '{"a":{"leaf":"nowhere"}}'],
    ['nonsense', '{"a":{"title":7}}'],
    ['something else than changes', '{"a":null}'],
    ['what is no record', '[[['],
  ])('are left out: of %s', async (_, text) => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    // where an earlier version of the page kept them
    local.set('tabmind.unfinished', text);
    await (await openPage()).finishChanges(store);
    expect((await store.heads()).items).toEqual([head]);
    expect(kept()).toEqual([]);
    warn.mockRestore();
  });
});
