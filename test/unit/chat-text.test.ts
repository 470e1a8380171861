import { signal } from '@preact/signals';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../src/index';
import { promptOf } from '../../web/state/chat-prompt';
import { trimToFit } from '../../web/state/context-trim';
import { newHead } from '../../web/state/heads';
import { groupHeads } from '../../web/state/history-groups';
import type { Answer, AnswerState, Question } from '../../web/state/message';
import { excerptOf } from '../../web/state/search';
import { isSendKey } from '../../web/state/send-key';
import { sendKey } from '../../web/state/settings';
import { splitThinking } from '../../web/state/thinking';

describe('thinking', () => {
  it('is cut off the start of an answer', () => {
    expect(splitThinking('<think>\nhm\n</think>\n\nYes.')).toEqual({
      thinking: 'hm',
      text: 'Yes.',
      isThinking: false,
    });
    expect(splitThinking('<think>\n\n</think>\n\nYes.')).toEqual({
      thinking: null,
      text: 'Yes.',
      isThinking: false,
    });
  });

  it('has ended where the template began it', () => {
    expect(splitThinking('hm</think>Yes.')).toEqual({ thinking: 'hm', text: 'Yes.', isThinking: false });
  });

  it('never shows a tag, whatever has arrived so far', () => {
    const whole = '<think>so</think>ok';
    const shown = Array.from({ length: whole.length + 1 }, (_, end) => splitThinking(whole.slice(0, end)));
    // only while the closing tag is incomplete may its letters be seen, and then inside the thinking
    expect(shown.map(({ text }) => text).filter((text) => text !== '')).toEqual(['o', 'ok']);
    expect(shown.at(3)).toEqual({ thinking: '', text: '', isThinking: true });
    expect(shown.at(9)).toEqual({ thinking: 'so', text: '', isThinking: true });
  });

  it('is left alone in the middle of an answer', () => {
    const text = 'Write <think> and </think> around it.';
    expect(splitThinking(text)).toEqual({ thinking: null, text, isThinking: false });
  });
});

describe('what the model is shown', () => {
  const place = { parent: null, createdMs: 0 };
  const question: Question = { ...place, role: 'user', id: 'q', text: 'Well?' };
  const answer = (text: string): Answer => ({
    ...place,
    role: 'assistant',
    id: text,
    model: 'm',
    text: signal(text),
    state: signal<AnswerState>({ status: 'answering' }),
    thinkingMs: signal(null),
  });
  const contents = (continuesLast: boolean, ...texts: readonly string[]) =>
    promptOf(' Be brief. ', [question, ...texts.map(answer)], continuesLast).map(({ content }) => content);

  it('has no thinking, but that of an answer which goes on', () => {
    const thought = '<think>\nhm\n</think>\n\nYes';
    expect(contents(false, thought)).toEqual(['Be brief.', 'Well?', 'Yes']);
    expect(contents(true, thought, thought)).toEqual(['Be brief.', 'Well?', 'Yes', thought]);
    expect(contents(true, '<think>\nh')).toEqual(['Be brief.', 'Well?', '<think>\nh']);
    expect(contents(false, '<think>\nh')).toEqual(['Be brief.', 'Well?']);
  });
});

describe('a conversation that is too long', () => {
  const say = (role: ChatMessage['role'], content: string): ChatMessage => ({ role, content });
  const count = async (messages: readonly ChatMessage[]) =>
    messages.reduce((sum, { content }) => sum + content.length, 0);
  const messages = [
    say('system', 'ss'),
    say('user', 'aaaa'),
    say('assistant', 'bbbb'),
    say('user', 'cccc'),
    say('assistant', 'dddd'),
    say('user', 'eeee'),
  ];

  it('loses its oldest turns, question and answer together, and keeps the system prompt', async () => {
    expect(await trimToFit(messages, 22, count)).toEqual(messages);
    expect(await trimToFit(messages, 21, count)).toEqual([messages[0], ...messages.slice(3)]);
    expect(await trimToFit(messages, 6, count)).toEqual([messages[0], messages[5]]);
  });

  it('keeps the answer that goes on, with its question', async () => {
    expect(await trimToFit(messages.slice(0, -1), 10, count)).toEqual([messages[0], ...messages.slice(3, 5)]);
  });

  it('counts a few times, however long the chat', async () => {
    const turns = Array.from({ length: 5000 }, (_, i) =>
      say(i % 2 === 0 ? 'user' : 'assistant', `${i % 10}`),
    );
    let numCounts = 0;
    const trimmed = await trimToFit(turns, 101, (some) => {
      numCounts++;
      return count(some);
    });
    expect(trimmed).toEqual(turns.slice(-100));
    expect(numCounts).toBeLessThan(15);
  });

  it('does not fit when the last question alone is too long', async () => {
    expect(await trimToFit(messages, 5, count)).toBeNull();
  });
});

describe('the list of chats', () => {
  it('is grouped by days of the calendar, the pinned ones first', () => {
    const now = new Date(2026, 2, 10, 0, 30).getTime();
    const at = (id: string, when: Date, isPinned = false) => ({
      ...newHead(id, when.getTime()),
      isPinned,
    });
    const groups = groupHeads(
      [
        at('older', new Date(2025, 2, 10)),
        at('month', new Date(2026, 1, 20)),
        at('week', new Date(2026, 2, 4)),
        at('yesterday', new Date(2026, 2, 9, 23, 59)),
        at('yesterday, earlier', new Date(2026, 2, 9, 0, 1)),
        at('today', new Date(2026, 2, 10, 0, 1)),
        at('pinned', new Date(2024, 2, 10), true),
      ],
      now,
    );
    expect(groups.map(({ name, heads }) => [name, ...heads.map(({ id }) => id)])).toEqual([
      ['pinned', 'pinned'],
      ['today', 'today'],
      ['yesterday', 'yesterday', 'yesterday, earlier'],
      ['week', 'week'],
      ['month', 'month'],
      ['older', 'older'],
    ]);
  });
});

describe('search', () => {
  it('finds words whatever their case and width, and shows where', () => {
    expect(excerptOf('The Capital of France', 'capital')).toEqual({
      before: 'The ',
      match: 'Capital',
      after: ' of France',
    });
    expect(excerptOf('价格是１００元', '100')?.match).toBe('１００');
    expect(excerptOf('nothing here', 'words')).toBeNull();
  });

  it('shows the place also where folding changes the length of what is before it', () => {
    // the ligature and the dotted capital I fold to two letters each
    expect(excerptOf('ﬁt for İstanbul, ﬁnally', 'FINAL')).toEqual({
      before: 'ﬁt for İstanbul, ',
      match: 'ﬁnal',
      after: 'ly',
    });
    expect(excerptOf('İİİİ end', 'end')?.match).toBe('end');
  });

  it('reads as plain text', () => {
    const text = '| A | B |\n| --- | :-: |\n| **sorted** array | $O(n)$ |\n\n`x` costs $5 and $6';
    expect(excerptOf(text, 'sorted')).toEqual({
      before: ' A B ',
      match: 'sorted',
      after: ' array O(n) x costs $5 and $6',
    });
  });

  it('cuts long texts around the place', () => {
    const excerpt = excerptOf(`${'a'.repeat(100)}needle${'b'.repeat(200)}`, 'NEEDLE');
    expect(excerpt).toEqual({ before: `…${'a'.repeat(32)}`, match: 'needle', after: `${'b'.repeat(80)}…` });
  });
});

describe('the send key', () => {
  const press = {
    key: 'Enter',
    isComposing: false,
    keyCode: 13,
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
  };

  it('is Enter, but not while an input method is composing, and not with Shift', () => {
    sendKey.value = 'enter';
    expect(isSendKey(press)).toBe(true);
    expect(isSendKey({ ...press, shiftKey: true })).toBe(false);
    expect(isSendKey({ ...press, isComposing: true })).toBe(false);
    expect(isSendKey({ ...press, keyCode: 229 })).toBe(false);
    expect(isSendKey({ ...press, key: 'a' })).toBe(false);
  });

  it('is Ctrl or Cmd with Enter when the person chose so', () => {
    sendKey.value = 'mod-enter';
    expect(isSendKey(press)).toBe(false);
    expect(isSendKey({ ...press, ctrlKey: true })).toBe(true);
    expect(isSendKey({ ...press, metaKey: true })).toBe(true);
    expect(isSendKey({ ...press, ctrlKey: true, keyCode: 229 })).toBe(false);
  });
});
