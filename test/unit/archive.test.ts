import 'fake-indexeddb/auto';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Answer, Question } from '../../web/state/message';
import { growingAnswer } from './growing-answer';
import { stubPage } from './stub-page';

const CHAT = 'chat';
const QUESTION: Question = { role: 'user', id: 'q', parent: null, createdMs: 1, text: 'Why?' };
const DONE = { status: 'done', finishReason: 'stop', usage: null, timings: null } as const;

async function openPage() {
  const [archive, conversation, heads] = await Promise.all([
    import('../../web/state/archive'),
    import('../../web/state/conversation'),
    import('../../web/state/heads'),
  ]);
  const say = (...messages: readonly (Question | Answer)[]) => {
    const known = conversation.messagesOf(CHAT);
    known.value = new Map([...known.value, ...messages.map((message) => [message.id, message] as const)]);
    archive.keepMessages(CHAT, messages);
    archive.changeHead(CHAT, { leaf: messages.at(-1)?.id ?? null, title: 'Why?' });
  };
  const stored = async () => {
    await archive.settled();
    const { items } = await archive.store.messages(CHAT);
    const head = await archive.store.head(CHAT);
    return { texts: items.map(({ id, text }) => `${id} ${text}`), leaf: head?.leaf ?? null };
  };
  const forget = () => {
    conversation.unload(CHAT);
    heads.forgetHeads([CHAT]);
  };
  return { ...archive, ...conversation, ...heads, say, stored, forget };
}

const full = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));

describe('changes that were refused, tried again', () => {
  beforeAll(() => {
    stubPage();
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(async () => {
    const { store, forget } = await openPage();
    vi.restoreAllMocks();
    await store.clear();
    forget();
  });

  it('write an answer as it is by then', async () => {
    const page = await openPage();
    const answer = growingAnswer('a', 'q', 'Bec');
    vi.spyOn(page.store, 'putMessages').mockImplementationOnce(full);
    page.say(QUESTION, answer);
    await page.settled();
    expect(page.keepProblem.value).toMatchObject({ code: 'quota' });
    answer.text.value = 'Because.';
    answer.state.value = DONE;
    page.keepMessages(CHAT, [answer]);
    expect(await page.stored()).toEqual({ texts: ['a Because.'], leaf: 'a' });
    page.keepAgain();
    expect(page.keepProblem.value).toBeNull();
    expect(await page.stored()).toEqual({ texts: ['a Because.', 'q Why?'], leaf: 'a' });
  });

  it('lead to the branch that is shown by then', async () => {
    const page = await openPage();
    vi.spyOn(page.store, 'changeHead').mockImplementationOnce(full);
    page.say(QUESTION);
    page.say(growingAnswer('a', 'q', 'Because.'));
    await page.settled();
    page.keepAgain();
    expect((await page.stored()).leaf).toBe('a');
  });

  it('bring back nothing that was deleted, and delete nothing that was brought back', async () => {
    const page = await openPage();
    vi.spyOn(page.store, 'putMessages').mockImplementationOnce(full);
    page.say(QUESTION);
    await page.settled();
    page.forget();
    page.dropConversation(CHAT);
    page.keepAgain();
    expect(await page.stored()).toEqual({ texts: [], leaf: null });

    page.say(QUESTION);
    await page.settled();
    vi.spyOn(page.store, 'deleteMessages').mockImplementationOnce(full);
    const known = page.messagesOf(CHAT);
    known.value = new Map();
    page.dropMessages(CHAT, ['q']);
    await page.settled();
    page.say(QUESTION);
    page.keepAgain();
    expect((await page.stored()).texts).toEqual(['q Why?']);
  });

  it('do not empty the storage later', async () => {
    const page = await openPage();
    vi.spyOn(page.store, 'clear').mockImplementationOnce(full);
    expect(await page.dropEverything(page.beginAnew)).toBe(false);
    page.say(QUESTION);
    page.keepAgain();
    expect((await page.stored()).texts).toEqual(['q Why?']);
  });
});
