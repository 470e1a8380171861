import 'fake-indexeddb/auto';
import { createStore, promisifyRequest } from 'idb-keyval';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type HeadRecord,
  type MessageRecord,
  readHead,
  readMessage,
} from '../../web/storage/conversation-record';
import { ConversationStore } from '../../web/storage/conversation-store';

let name = '';
let store: ConversationStore;
let numStores = 0;

beforeEach(() => {
  name = `test-${numStores++}`;
  store = new ConversationStore(name);
});

const head = (id: string, patch: Partial<HeadRecord> = {}): HeadRecord => ({
  version: 1,
  id,
  title: 'Title',
  isNamed: false,
  isPinned: false,
  systemPrompt: '',
  dropsOldest: false,
  createdMs: 1,
  updatedMs: 1,
  leaf: 'm1',
  ...patch,
});

const question = (conversation: string, id: string, text = 'Hi'): MessageRecord => ({
  version: 1,
  conversation,
  id,
  parent: null,
  createdMs: 1,
  role: 'user',
  text,
});

/** Writes past the store, as a newer page would. */
async function putRaw(key: IDBValidKey, value: unknown): Promise<void> {
  await createStore(name, 'heads')('readwrite', (raw) => promisifyRequest(raw.put(value, key)));
}

async function getRaw(key: IDBValidKey): Promise<unknown> {
  return createStore(name, 'heads')('readonly', (raw) => promisifyRequest(raw.get(key)));
}

describe('conversation store', () => {
  it('keeps heads and the messages of each conversation apart', async () => {
    await store.putMessages([question('a', 'm1'), question('a', 'm2'), question('ab', 'm1')]);
    await store.changeHead(head('a'), {});
    expect((await store.messages('a')).items.map(({ id }) => id)).toEqual(['m1', 'm2']);
    expect((await store.messages()).items).toHaveLength(3);
    expect((await store.heads()).items).toEqual([head('a')]);
  });

  it('writes only what changed, so that two tabs do not undo each other', async () => {
    await store.changeHead(head('a'), {});
    const other = new ConversationStore(name);
    // each tab's whole head is from before the other's change
    await Promise.all([
      store.changeHead(head('a', { title: 'Mine' }), { title: 'Mine' }),
      other.changeHead(head('a', { isPinned: true }), { isPinned: true }),
    ]);
    expect(await store.head('a')).toMatchObject({ title: 'Mine', isPinned: true });
  });

  it('keeps what a newer page wrote: unknown fields, and whole records of another version', async () => {
    await putRaw('a', { ...head('a'), colour: 'green' });
    await putRaw('b', { ...head('b'), version: 2, branches: [] });
    expect(await store.changeHead(head('a'), { title: 'New' })).toBe(true);
    expect(await getRaw('a')).toMatchObject({ title: 'New', colour: 'green' });
    const { items, numUnknown } = await store.heads();
    expect(items.map(({ id }) => id)).toEqual(['a']);
    expect(numUnknown).toBe(1);
    expect(await store.changeHead(head('b'), { title: 'Mine' })).toBe(false);
    expect(await getRaw('b')).toEqual({ ...head('b'), version: 2, branches: [] });
  });

  it('adds only messages that are missing', async () => {
    await store.putMessages([question('a', 'm1', 'here')]);
    expect(await store.addMessages([question('a', 'm1', 'imported'), question('a', 'm2')])).toBe(1);
    expect((await store.messages('a')).items.map(({ text }) => text)).toEqual(['here', 'Hi']);
  });

  it('deletes messages, a conversation, and everything', async () => {
    await store.putMessages([question('a', 'm1'), question('a', 'm2'), question('b', 'm1')]);
    await Promise.all([store.changeHead(head('a'), {}), store.changeHead(head('b'), {})]);
    await store.deleteMessages('a', ['m1']);
    expect((await store.messages('a')).items.map(({ id }) => id)).toEqual(['m2']);
    await store.delete('a');
    expect((await store.messages()).items).toEqual([question('b', 'm1')]);
    expect(await store.head('a')).toBeNull();
    await store.clear();
    expect((await store.messages()).items).toEqual([]);
    expect((await store.heads()).items).toEqual([]);
  });
});

describe('records', () => {
  it('are refused when a field is missing or of another kind', () => {
    expect(readHead(head('a'))).toEqual(head('a'));
    expect(readHead({ ...head('a'), createdMs: 'yesterday' })).toBeNull();
    expect(readHead(null)).toBeNull();
    const answer = {
      ...question('a', 'm'),
      role: 'assistant',
      model: 'tabmind/starter',
      end: { status: 'running' },
      thinkingMs: null,
    };
    expect(readMessage(answer)).toEqual(answer);
    expect(readMessage({ ...answer, end: { status: 'paused' } })).toBeNull();
    expect(readMessage({ ...question('a', 'm'), role: 'tool' })).toBeNull();
  });
});
