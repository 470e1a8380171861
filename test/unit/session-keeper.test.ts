import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ModelInfo, TabmindError } from '../../src/index';
import { dropConversation } from '../../web/state/archive';
import { messagesOf, newChat, openId, runs } from '../../web/state/conversation';
import { modelState } from '../../web/state/engine';
import { forgetSavedSessions, forgetSession, forgetSessions } from '../../web/state/engine-session';
import { newHead, putHead } from '../../web/state/heads';
import { leaveAll } from '../../web/state/leaving';
import { bringSessionBack, keepSessions, sessionChanged } from '../../web/state/session-keeper';

const MIB = 2 ** 20;
const IDLE_MS = 10_000;

/** What the page asked of the engine, in order, and how the engine answers. */
const asked = vi.hoisted(() => ({
  calls: [] as string[],
  answer: async (_call: string): Promise<void> => undefined,
}));

vi.mock('../../web/state/engine', async () => {
  const { signal } = await import('@preact/signals');
  const ask = (call: string) => {
    asked.calls.push(call);
    return asked.answer(call);
  };
  const fake = {
    saveSession: (id: string, maxBytes: number) => ask(`save ${id} ${maxBytes}`),
    restoreSession: (id: string) => ask(`restore ${id}`),
    deleteSession: (id: string) => ask(`delete ${id}`),
    dropSession: (id: string) => ask(`drop ${id}`),
    deleteSavedConversations: () => ask('delete all'),
    savedConversations: async () => ({ count: 1, bytes: 0 }),
  };
  return { engine: () => fake, modelState: signal({ status: 'idle' }) };
});

const page = new EventTarget();
let visibilityState = 'visible';
vi.stubGlobal('document', {
  addEventListener: page.addEventListener.bind(page),
  get visibilityState() {
    return visibilityState;
  },
});
let estimate = { quota: 100_000 * MIB, usage: 0 };
vi.stubGlobal('navigator', { storage: { estimate: async () => estimate } });

const loaded = (id: string) => ({ id }) as ModelInfo;
let numChats = 0;

/** A conversation on screen in which something was said. */
function open(): string {
  const id = `chat-${numChats++}`;
  putHead({ ...newHead(id), leaf: 'm1' });
  openId.value = id;
  return id;
}

/** Lets what was asked for happen. */
const settle = () => vi.advanceTimersByTimeAsync(0);

function hide(): Promise<unknown> {
  visibilityState = 'hidden';
  page.dispatchEvent(new Event('visibilitychange'));
  visibilityState = 'visible';
  return settle();
}

beforeEach(() => {
  vi.useFakeTimers();
  asked.calls.length = 0;
  asked.answer = async () => undefined;
  modelState.value = { status: 'ready', info: loaded('model') };
});

afterEach(() => vi.useRealTimers());

keepSessions();

describe('saving the conversation on screen', () => {
  it('waits until nothing was answered for a while, and saves once', async () => {
    const id = open();
    sessionChanged(id);
    await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
    expect(asked.calls).toEqual([]);
    sessionChanged(id);
    await vi.advanceTimersByTimeAsync(IDLE_MS - 1);
    expect(asked.calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked.calls).toEqual([`save ${id} ${512 * MIB}`]);
    await vi.advanceTimersByTimeAsync(10 * IDLE_MS);
    await hide();
    expect(asked.calls).toHaveLength(1);
  });

  it('does not wait when the tab is hidden', async () => {
    const id = open();
    sessionChanged(id);
    await hide();
    expect(asked.calls).toEqual([`save ${id} ${512 * MIB}`]);
  });

  it('takes a fifth of the room that is left at most', async () => {
    estimate = { quota: 100 * MIB, usage: 50 * MIB };
    const id = open();
    sessionChanged(id);
    await hide();
    expect(asked.calls).toEqual([`save ${id} ${10 * MIB}`]);
    estimate = { quota: 100_000 * MIB, usage: 0 };
  });

  it('saves nothing while an answer is under way, without a model, or of a chat that is not kept', async () => {
    const id = open();
    sessionChanged(id);
    runs.value = new Map([
      ['a', { conversation: 'other', controller: new AbortController(), ended: Promise.resolve() }],
    ]);
    await hide();
    runs.value = new Map();
    modelState.value = { status: 'idle' };
    await hide();
    modelState.value = { status: 'ready', info: loaded('model') };
    putHead(newHead(id));
    await hide();
    expect(asked.calls).toEqual([]);
  });

  it('does not bring back what is deleted while it is saved', async () => {
    const id = open();
    const other = 'another chat';
    let finish = () => {};
    asked.answer = (call) =>
      call.startsWith('save') ? new Promise((resolve) => (finish = resolve)) : Promise.resolve();
    sessionChanged(id);
    await hide();
    forgetSession(id);
    forgetSessions([other]);
    forgetSavedSessions();
    await settle();
    expect(asked.calls).toHaveLength(1);
    finish();
    await settle();
    expect(asked.calls.slice(1)).toEqual([`delete ${id}`, `delete ${other}`, 'delete all']);
  });
});

it('gives up what is kept of a deleted chat', async () => {
  vi.useRealTimers();
  dropConversation('gone');
  await vi.waitFor(() => expect(asked.calls).toEqual(['delete gone']));
});

describe('bringing a conversation back', () => {
  it('looks once for each conversation and load of a model', async () => {
    const model = loaded('a');
    await bringSessionBack('one', model);
    await bringSessionBack('one', model);
    await bringSessionBack('two', model);
    await bringSessionBack('one', loaded('a'));
    expect(asked.calls).toEqual(['restore one', 'restore two', 'restore one']);
  });

  it('lets the turn go on when the storage fails', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    asked.answer = () => Promise.reject(new TabmindError('storage', 'The storage failed.'));
    await bringSessionBack('three', loaded('b'));
    expect(warn).toHaveBeenCalledOnce();
    warn.mockRestore();
  });
});

// the last: nothing is saved any more
it('saves nothing more once the browser has no room', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  asked.answer = () => Promise.reject(new TabmindError('quota', 'No room.'));
  const id = open();
  sessionChanged(id);
  await hide();
  expect(asked.calls).toHaveLength(1);
  sessionChanged(id);
  await hide();
  expect(asked.calls).toHaveLength(1);
  warn.mockRestore();
});

it('gives up what is kept of all chats of this tab when another deletes everything, after their answers', async () => {
  vi.useRealTimers();
  const id = open();
  messagesOf(id);
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  runs.value = new Map([['a', { conversation: id, controller: new AbortController(), ended }]]);
  // it was never asked for anything
  newChat();
  messagesOf(openId.value);
  leaveAll('later');
  await new Promise((resolve) => setTimeout(resolve));
  expect(asked.calls).toEqual([]);
  end();
  await vi.waitFor(() => expect(asked.calls).toEqual([`delete ${id}`]));
  runs.value = new Map();
});
