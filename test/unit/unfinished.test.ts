import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { finishChanges, noteChange } from '../../web/state/unfinished';
import { type HeadRecord, RECORD_VERSION } from '../../web/storage/conversation-record';
import { ConversationStore } from '../../web/storage/conversation-store';

const local = new Map<string, string>();
vi.stubGlobal('localStorage', {
  getItem: (key: string) => local.get(key) ?? null,
  setItem: (key: string, value: string) => local.set(key, value),
});

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
  await store.clear();
  await store.putMessages([message('old'), message('new')]);
  await store.changeHead(head, head);
});

describe('changes that a page could not finish', () => {
  it('are made by the next one', async () => {
    noteChange('a', { leaf: 'new' });
    noteChange('a', { isPinned: true });
    await finishChanges(store);
    expect(await store.head('a')).toEqual({ ...head, leaf: 'new', isPinned: true });
  });

  it('are forgotten when they are in the database', async () => {
    const [first, second] = [noteChange('b', { title: 'x' }), noteChange('b', { isPinned: true })];
    first();
    expect(local.get('tabmind.unfinished')).toContain('isPinned');
    expect(local.get('tabmind.unfinished')).not.toContain('title');
    second();
    expect(local.get('tabmind.unfinished')).not.toContain('"b"');
  });

  it.each([
    ['a chat that is gone', { c: { title: 'x' } }],
    ['a message that is gone', { a: { leaf: 'nowhere' } }],
    ['nonsense', { a: { title: 7 } }],
    ['something else than changes', { a: null }],
  ])('are left out: of %s', async (_, left) => {
    local.set('tabmind.unfinished', JSON.stringify(left));
    await finishChanges(store);
    expect((await store.heads()).items).toEqual([head]);
  });
});
