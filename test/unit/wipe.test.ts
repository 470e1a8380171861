import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer, Message } from '../../web/state/message';
import { ConversationStore } from '../../web/storage/conversation-store';
import { growingAnswer } from './growing-answer';
import { show, stubPage } from './stub-page';

vi.mock('../../web/state/engine', async (original) => ({
  ...(await original<typeof import('../../web/state/engine')>()),
  engine: () => ({ deleteSession: async () => undefined, deleteSavedConversations: async () => undefined }),
}));

stubPage();
vi.stubGlobal('navigator', { languages: ['en'], locks: { query: async () => ({ held: [] }) } });

/** The storage as no tab sees it. */
const disk = new ConversationStore();

/** A page of its own: nothing is shared with another but what is stored, and what they tell each other. */
async function openTab() {
  vi.resetModules();
  const [archive, conversation, drafts, heads, history, files, removal, removed, sending, wipe] =
    await Promise.all([
      import('../../web/state/archive'),
      import('../../web/state/conversation'),
      import('../../web/state/drafts'),
      import('../../web/state/heads'),
      import('../../web/state/history'),
      import('../../web/state/import-file'),
      import('../../web/state/removal'),
      import('../../web/state/removed'),
      import('../../web/state/sending'),
      import('../../web/state/wipe'),
    ]);
  await history.startHistory();
  const tab = {
    ...{ ...archive, ...conversation, ...drafts, ...heads, ...history },
    ...{ ...files, ...removal, ...removed, ...sending, ...wipe },
  };
  const add = (id: string, ...messages: readonly Message[]) => {
    const known = tab.messagesOf(id);
    known.value = new Map([...known.value, ...messages.map((message) => [message.id, message] as const)]);
    tab.keepMessages(id, messages);
    tab.changeHead(id, { leaf: messages.at(-1)?.id ?? null, title: 'Why?' });
  };
  return { ...tab, add };
}

type Tab = Awaited<ReturnType<typeof openTab>>;
let tab: Tab;
let other: Tab;
/** What `tab` shows and computes. */
let chat: string;
let answer: Answer;
let controller: AbortController;

const question = (text = 'Why?'): Message => ({
  ...{ role: 'user', id: `q ${text}`, parent: null, createdMs: 1 },
  text,
});

/** Everything that is stored, by whomever. */
async function stored(): Promise<readonly string[]> {
  await Promise.all([tab.settled(), other.settled()]);
  const [{ items: heads }, { items: messages }] = await Promise.all([disk.heads(), disk.messages()]);
  return [...heads.map(({ title }) => title), ...messages.map(({ text }) => text)];
}

/** The answer streams on. */
function grow(text: string): void {
  answer.text.value = text;
  tab.keepGrown(chat, answer);
}

function expectLeft(): void {
  expect(controller.signal.aborted).toBe(true);
  expect(tab.openId.value).not.toBe(chat);
  expect(tab.messages.value.size).toBe(0);
  expect(tab.knownMessages(chat).size).toBe(0);
  expect(tab.storedHeads()).toEqual([]);
}

const untilLeft = () => vi.waitFor(expectLeft);

/** Another tab deletes everything, and what it says of that does not arrive. */
const wipeUnheard = () => disk.clear();

beforeEach(async () => {
  await disk.clear();
  other = await openTab();
  // what it imports later is of its own page only when it was the last to be opened
  tab = await openTab();
  chat = tab.openId.value;
  answer = growingAnswer('a', 'q Why?', 'Bec');
  controller = new AbortController();
  // it takes its time to stop
  const run = { conversation: chat, controller, ended: new Promise<void>(() => {}) };
  tab.runs.value = new Map([['a', run]]);
  tab.add(chat, question(), answer);
  expect(await stored()).toEqual(['Why?', 'Bec', 'Why?']);
});

afterEach(() => vi.restoreAllMocks());

describe('another tab deletes everything', () => {
  it('while an answer streams here: it stops, is not shown any more, and nothing of it is stored again', async () => {
    expect(await other.wipeConversations()).toBe(true);
    // before this tab hears of it
    grow('Because');
    await untilLeft();
    grow('Because it is late.');
    tab.changeHead(chat, { title: 'Renamed' });
    expect(await stored()).toEqual([]);
    expect(tab.keepProblem.value).toBeNull();
  });

  it('and is not heard: the next words of the answer find that out', async () => {
    await wipeUnheard();
    grow('Because');
    await untilLeft();
    expect(await stored()).toEqual([]);
    expect(tab.keepProblem.value).toBeNull();
  });

  it('and is not heard: what is said next there is not stored, neither the message nor its head', async () => {
    await wipeUnheard();
    tab.add(chat, question('And?'));
    await untilLeft();
    expect(await stored()).toEqual([]);
  });

  it('while this one sleeps: it notices when it is shown again', async () => {
    await wipeUnheard();
    show();
    await untilLeft();
    expect(await stored()).toEqual([]);
  });

  it('while this one is writing', async () => {
    grow('Because');
    const wiping = other.wipeConversations();
    tab.add(chat, question('And?'));
    await wiping;
    await untilLeft();
    expect(await stored()).toEqual([]);
  });

  it('between the two steps of a change: half of it is not left', async () => {
    await tab.removeConversation(tab.headOf(chat));
    const put = tab.store.putMessages.bind(tab.store);
    vi.spyOn(tab.store, 'putMessages').mockImplementationOnce(async (...args) => {
      await put(...args);
      await wipeUnheard();
      await tab.noticeWipe();
    });
    tab.undo();
    await untilLeft();
    expect(await stored()).toEqual([]);
  });

  it('while a change waits for its turn', async () => {
    await tab.removeConversation(tab.headOf(chat));
    let go = () => {};
    void tab.writeAll(() => new Promise<void>((resolve) => (go = resolve)));
    tab.undo();
    await wipeUnheard();
    await tab.noticeWipe();
    go();
    await untilLeft();
    expect(await stored()).toEqual([]);
  });

  it('and what was deleted here before cannot be brought back', async () => {
    await tab.removeConversation(tab.headOf(chat));
    await tab.settled();
    await other.wipeConversations();
    await vi.waitFor(() => expect(tab.removed.value).toBeNull());
    tab.undo();
    expect(await stored()).toEqual([]);
  });

  it('and what the browser had refused is not tried again', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await tab.removeConversation(tab.headOf(chat));
    const full = new DOMException('full', 'QuotaExceededError');
    vi.spyOn(tab.store, 'putMessages').mockRejectedValueOnce(full);
    tab.undo();
    await vi.waitFor(() => expect(tab.keepProblem.value).toMatchObject({ code: 'quota' }));
    await other.wipeConversations();
    await untilLeft();
    expect(tab.keepProblem.value).toBeNull();
    tab.keepAgain();
    expect(await stored()).toEqual([]);
  });

  it('and imports it again: that is shown', async () => {
    const { conversationsAsJson } = await import('../../web/state/export-file');
    const file = await conversationsAsJson();
    await other.wipeConversations();
    await other.importConversations(file);
    await vi.waitFor(() => expect(tab.storedHeads().map(({ id }) => id)).toEqual([chat]));
    expect(controller.signal.aborted).toBe(true);
    expect(await stored()).toEqual(['Why?', 'Bec', 'Why?']);
  });
});

describe('after another tab has deleted everything', () => {
  it('a chat that begins here is stored as always', async () => {
    await other.wipeConversations();
    await untilLeft();
    tab.add(tab.openId.value, question('New?'));
    expect(await stored()).toEqual(['Why?', 'New?']);
    await vi.waitFor(() => expect(other.storedHeads().map(({ title }) => title)).toEqual(['Why?']));
    expect(tab.storedHeads()).toHaveLength(1);
  });

  it('and this one has not heard of it, so does one that begins in a new chat', async () => {
    tab.newChat();
    const id = tab.openId.value;
    await wipeUnheard();
    await tab.conversationRead(id);
    tab.add(id, question('New?'));
    expect(await stored()).toEqual(['Why?', 'New?']);
    expect(tab.openId.value).toBe(id);
    await vi.waitFor(() => expect(tab.storedHeads().map((head) => head.id)).toEqual([id]));
  });

  it('and this one has not heard of it, what is sent in a chat that is gone stays typed', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    tab.runs.value = new Map();
    tab.setDraft('And?');
    await wipeUnheard();
    tab.sendDraft();
    await vi.waitFor(() => expect(warn).toHaveBeenCalled());
    expect(tab.openId.value).not.toBe(chat);
    expect(tab.draft.value).toBe('And?');
    expect(await stored()).toEqual([]);
  });
});

describe('deleting everything', () => {
  it('waits for no answer of this tab, and none writes its last words', { timeout: 1_000 }, async () => {
    const clear = tab.store.clear.bind(tab.store);
    vi.spyOn(tab.store, 'clear').mockImplementationOnce(async () => {
      const cleared = await clear();
      grow('Bec, as soon as all is gone from the storage');
      return cleared;
    });
    tab.watchStore(({ kind }) => kind === 'all' && grow('Bec, right after that'));
    expect(await tab.wipeConversations()).toBe(true);
    expectLeft();
    grow('Because');
    expect(await stored()).toEqual([]);
  });

  it('stops and loses nothing when the browser refuses', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    vi.spyOn(tab.store, 'clear').mockRejectedValueOnce(new Error('refused'));
    expect(await tab.wipeConversations()).toBe(false);
    expect(controller.signal.aborted).toBe(false);
    grow('Because');
    expect(await stored()).toEqual(['Why?', 'Because', 'Why?']);
    expect(tab.openId.value).toBe(chat);
  });

  it('that gets halfway shows no chat any more, in whichever tab', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    vi.spyOn(other.store, 'generation').mockRejectedValueOnce(new Error('refused'));
    expect(await other.wipeConversations()).toBe(false);
    expect(other.storedHeads()).toEqual([]);
    expect((await disk.messages()).items).toHaveLength(2);
    grow('Because');
    await untilLeft();
    await openTab();
    expect(await stored()).toEqual([]);
  });
});
