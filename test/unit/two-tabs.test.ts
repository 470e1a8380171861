import 'fake-indexeddb/auto';
import { signal } from '@preact/signals';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer, Message, Question } from '../../web/state/message';
import { ConversationStore } from '../../web/storage/conversation-store';
import { growingAnswer } from './growing-answer';
import { stubPage } from './stub-page';

vi.mock('../../web/state/engine', () => ({ engine: () => ({}), modelState: signal({ status: 'idle' }) }));

const CHAT = 'chat';
const QUESTION: Question = { role: 'user', id: 'q', parent: null, createdMs: 1, text: 'Why?' };

/** The storage and the channel as another tab has them. */
const other = new ConversationStore();
let channel: BroadcastChannel;

async function openTab() {
  const [archive, conversation, history, heads] = await Promise.all([
    import('../../web/state/archive'),
    import('../../web/state/conversation'),
    import('../../web/state/history'),
    import('../../web/state/heads'),
  ]);
  return { ...archive, ...conversation, ...history, ...heads };
}

type Tab = Awaited<ReturnType<typeof openTab>>;
let tab: Tab;

/** A question and its answer, which this tab is writing. */
function startAnswer(): { readonly answer: Answer; readonly controller: AbortController } {
  const answer = growingAnswer('a', 'q', 'Bec');
  const controller = new AbortController();
  tab.messagesOf(CHAT).value = new Map<string, Message>([
    ['q', QUESTION],
    ['a', answer],
  ]);
  tab.keepMessages(CHAT, [QUESTION, answer]);
  tab.changeHead(CHAT, { leaf: 'a', title: 'Why?' });
  tab.runs.value = new Map([['a', { conversation: CHAT, controller, ended: Promise.resolve() }]]);
  return { answer, controller };
}

async function storedTexts(): Promise<readonly string[]> {
  await tab.settled();
  const { items } = await other.messages(CHAT);
  return items.map(({ id, text }) => `${id} ${text}`);
}

const knownIds = () => [...tab.messagesOf(CHAT).value.keys()];

describe('while an answer streams here, another tab', () => {
  beforeAll(async () => {
    stubPage();
    vi.stubGlobal('navigator', { languages: ['en'], locks: { query: async () => ({ held: [] }) } });
    channel = new BroadcastChannel('tabmind-conversations');
    tab = await openTab();
    await tab.startHistory();
  });
  afterAll(() => channel.close());
  beforeEach(async () => {
    tab.runs.value = new Map();
    tab.unload(CHAT);
    tab.forgetHeads([CHAT]);
    await tab.dropEverything(tab.beginAnew);
  });

  it('deletes it: it stops, and is not written again', async () => {
    const { answer, controller } = startAnswer();
    await tab.settled();
    await other.deleteMessages(CHAT, ['a']);
    // before this tab hears of it
    answer.text.value = 'Because';
    tab.keepGrown(CHAT, answer);
    expect(await storedTexts()).toEqual(['q Why?']);
    await other.changeHead({ ...tab.headOf(CHAT), version: 1 }, { leaf: 'q' }, await other.generation());
    channel.postMessage({ kind: 'changed', conversation: CHAT, ids: ['a'] });
    await vi.waitFor(() => expect(controller.signal.aborted).toBe(true));
    expect(knownIds()).toEqual(['q']);
    await vi.waitFor(() => expect(tab.headOf(CHAT).leaf).toBe('q'));
    tab.keepGrown(CHAT, answer);
    expect(await storedTexts()).toEqual(['q Why?']);
  });

  it('deletes a branch beside it: only that goes', async () => {
    const { answer, controller } = startAnswer();
    const beside = growingAnswer('b', 'q', 'Beside');
    tab.messagesOf(CHAT).value = new Map(tab.messagesOf(CHAT).value).set('b', beside);
    tab.keepMessages(CHAT, [beside]);
    await tab.settled();
    await other.deleteMessages(CHAT, ['b']);
    channel.postMessage({ kind: 'changed', conversation: CHAT, ids: ['b'] });
    await vi.waitFor(() => expect(knownIds()).toEqual(['q', 'a']));
    answer.text.value = 'Because';
    tab.keepGrown(CHAT, answer);
    expect(await storedTexts()).toEqual(['a Because', 'q Why?']);
    expect(controller.signal.aborted).toBe(false);
    expect(tab.headOf(CHAT).leaf).toBe('a');
  });

  it('changes another message: the answer is not touched', async () => {
    const { answer, controller } = startAnswer();
    await tab.settled();
    await other.putMessages(
      [{ version: 1, conversation: CHAT, id: 'q2', parent: null, createdMs: 3, role: 'user', text: 'Else?' }],
      await other.generation(),
    );
    channel.postMessage({ kind: 'changed', conversation: CHAT, ids: ['q2'] });
    await vi.waitFor(() => expect(knownIds()).toEqual(['q', 'a', 'q2']));
    expect(controller.signal.aborted).toBe(false);
    expect(answer.text.value).toBe('Bec');
  });

  it('leaves what the browser refused: it is written as soon as there is room', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    vi.spyOn(tab.store, 'putMessages').mockRejectedValueOnce(new DOMException('full', 'QuotaExceededError'));
    const { answer } = startAnswer();
    expect(await storedTexts()).toEqual([]);
    answer.text.value = 'Because';
    tab.keepGrown(CHAT, answer);
    expect(await storedTexts()).toEqual(['a Because']);
    tab.keepAgain();
    expect(await storedTexts()).toEqual(['a Because', 'q Why?']);
    vi.restoreAllMocks();
  });
});
