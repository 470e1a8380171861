import 'fake-indexeddb/auto';
import { createStore, promisifyRequest } from 'idb-keyval';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type HeadRecord,
  type MessageRecord,
  readHead,
  readMessage,
} from '../../web/storage/conversation-record';
import { ConversationStore } from '../../web/storage/conversation-store';
import { type Generation, WipedError } from '../../web/storage/generation';

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
    await store.putMessages([question('a', 'm1'), question('a', 'm2'), question('ab', 'm1')], '');
    await store.changeHead(head('a'), {}, '');
    expect((await store.messages('a')).items.map(({ id }) => id)).toEqual(['m1', 'm2']);
    expect((await store.messages()).items).toHaveLength(3);
    expect((await store.heads()).items).toEqual([head('a')]);
  });

  it('writes only what changed, so that two tabs do not undo each other', async () => {
    await store.changeHead(head('a'), {}, '');
    const other = new ConversationStore(name);
    // each tab's whole head is from before the other's change
    await Promise.all([
      store.changeHead(head('a', { title: 'Mine' }), { title: 'Mine' }, ''),
      other.changeHead(head('a', { isPinned: true }), { isPinned: true }, ''),
    ]);
    expect(await store.head('a')).toMatchObject({ title: 'Mine', isPinned: true });
  });

  it('keeps what a newer page wrote: unknown fields, and whole records of another version', async () => {
    await putRaw('a', { ...head('a'), colour: 'green' });
    await putRaw('b', { ...head('b'), version: 2, branches: [] });
    expect(await store.changeHead(head('a'), { title: 'New' }, '')).toBe(true);
    expect(await getRaw('a')).toMatchObject({ title: 'New', colour: 'green' });
    const { items, numUnknown } = await store.heads();
    expect(items.map(({ id }) => id)).toEqual(['a']);
    expect(numUnknown).toBe(1);
    expect(await store.changeHead(head('b'), { title: 'Mine' }, '')).toBe(false);
    expect(await getRaw('b')).toEqual({ ...head('b'), version: 2, branches: [] });
  });

  it('adds only messages that are missing', async () => {
    await store.putMessages([question('a', 'm1', 'here')], '');
    expect(await store.addMessages([question('a', 'm1', 'imported'), question('a', 'm2')], '')).toBe(1);
    expect((await store.messages('a')).items.map(({ text }) => text)).toEqual(['here', 'Hi']);
  });

  it('deletes messages, a conversation, and everything', async () => {
    await store.putMessages([question('a', 'm1'), question('a', 'm2'), question('b', 'm1')], '');
    await Promise.all([store.changeHead(head('a'), {}, ''), store.changeHead(head('b'), {}, '')]);
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

describe('a wipe', () => {
  const stored = async () => [
    ...(await store.heads()).items.map(({ id }) => id),
    ...(await store.messages()).items.map(({ id, conversation }) => `${conversation} ${id}`),
  ];
  const say = async (conversation: string, since: Generation, to = store) => {
    await to.putMessages([question(conversation, 'm1')], since);
    await to.changeHead(head(conversation), {}, since);
  };

  it('lets nothing older be written, by whichever tab, and everything newer', async () => {
    await say('a', '');
    const generation = await store.clear();
    const other = new ConversationStore(name);
    await expect(say('a', '', other)).rejects.toThrow(WipedError);
    await expect(other.addMessages([question('a', 'm1')], '')).rejects.toThrow(WipedError);
    await expect(other.updateMessages([question('a', 'm1')], '')).rejects.toThrow(WipedError);
    await expect(other.changeHead(head('a'), {}, '')).rejects.toThrow(WipedError);
    expect(await stored()).toEqual([]);
    expect(await other.generation()).toBe(generation);
    expect((await other.heads()).generation).toBe(generation);
    await say('b', generation, other);
    expect(await stored()).toEqual(['b', 'b m1']);
    expect((await store.heads()).numUnknown).toBe(0);
    expect((await store.messages()).numUnknown).toBe(0);
  });

  it('counts once where two tabs ask for it at the same time', async () => {
    const other = new ConversationStore(name);
    await say('a', '');
    await Promise.all([store.clear(), other.clear()]);
    const generation = await other.generation();
    expect(await store.generation()).toBe(generation);
    await say('b', generation);
    expect(await stored()).toEqual(['b', 'b m1']);
  });

  /** As when the tab is closed before its second step. */
  async function wipeHalfway(): Promise<Generation> {
    const dying = new ConversationStore(name);
    vi.spyOn(dying, 'generation').mockImplementation(() => Promise.reject(new Error('closed')));
    await expect(dying.clear()).rejects.toThrow('closed');
    return (await store.heads()).generation;
  }

  it('that got halfway is finished by the next visit', async () => {
    await say('a', '');
    await wipeHalfway();
    expect(await stored()).toEqual(['a m1']);
    await new ConversationStore(name).generation();
    expect(await stored()).toEqual([]);
  });

  it('that got halfway is finished by the next message, which is stored', async () => {
    await say('a', '');
    const generation = await wipeHalfway();
    await say('b', generation);
    expect(await stored()).toEqual(['b', 'b m1']);
  });

  it('is not finished by a tab that was too slow: another has done it, and more was said since', async () => {
    await say('a', '');
    await wipeHalfway();
    const open = (database: string) => promisifyRequest(indexedDB.open(database));
    const [heads, messages] = await Promise.all([open(name), open(`${name}-messages`)]);
    const { transaction } = IDBDatabase.prototype;
    const wipe = (database: IDBDatabase, storeName: string, key: IDBValidKey, value: unknown) => {
      const raw = transaction.call(database, storeName, 'readwrite').objectStore(storeName);
      raw.clear();
      raw.put('later', 0);
      raw.put(value, key);
    };
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      if (args[1] === 'readwrite') {
        vi.restoreAllMocks();
        // before the transaction that finishes the wipe
        wipe(heads, 'heads', 'b', head('b'));
        wipe(messages, 'messages', ['b', 'm1'], question('b', 'm1'));
      }
      return transaction.apply(this, args);
    });
    expect(await new ConversationStore(name).generation()).toBe('later');
    expect(await stored()).toEqual(['b', 'b m1']);
  });

  it('by a page of an earlier version, which leaves no mark, is one too', async () => {
    const generation = await store.clear();
    await say('a', generation);
    await createStore(name, 'heads')('readwrite', (raw) => promisifyRequest(raw.clear()));
    await createStore(`${name}-messages`, 'messages')('readwrite', (raw) => promisifyRequest(raw.clear()));
    await expect(say('a', generation)).rejects.toThrow(WipedError);
    expect(await stored()).toEqual([]);
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
