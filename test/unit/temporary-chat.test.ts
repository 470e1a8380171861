import 'fake-indexeddb/auto';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { beginAnew, changeHead, dropEverything, keepMessages, settled, store } from '../../web/state/archive';
import { isLoaded, messagesOf, newChat, openId } from '../../web/state/conversation';
import { heads, storedHeads } from '../../web/state/heads';
import { readAll } from '../../web/state/history';
import type { Message } from '../../web/state/message';
import { removeMessage } from '../../web/state/removal';
import { undo } from '../../web/state/removed';
import { isTemporary } from '../../web/state/temporary';
import { forgetTemporary, toggleTemporary } from '../../web/state/temporary-chat';

const asked = vi.hoisted(() => ({ deleted: [] as string[] }));

vi.mock('../../web/state/engine', async () => {
  const { signal } = await import('@preact/signals');
  const fake = { deleteSession: async (id: string) => void asked.deleted.push(id) };
  return { engine: () => fake, modelState: signal({ status: 'idle' }) };
});
// Node 20 has no locks; no other tab holds one here
vi.stubGlobal('navigator', { locks: { query: async () => ({ held: [] }) } });

const question: Message = { role: 'user', id: 'q1', parent: null, createdMs: 1, text: 'A secret?' };

/** Says something in the chat on screen. */
function say(): string {
  const id = openId.value;
  messagesOf(id).value = new Map([[question.id, question]]);
  keepMessages(id, [question]);
  changeHead(id, { leaf: question.id, title: 'A secret?' });
  return id;
}

const stored = async () => {
  await settled();
  return { heads: (await store.heads()).items.length, messages: (await store.messages()).items.length };
};

const stop = forgetTemporary();
afterAll(stop);

beforeEach(async () => {
  newChat();
  await dropEverything(beginAnew);
});

describe('a temporary chat', () => {
  it('is neither stored nor listed, and survives the list being read anew', async () => {
    toggleTemporary();
    const id = say();
    expect(await stored()).toEqual({ heads: 0, messages: 0 });
    expect(storedHeads()).toEqual([]);
    await readAll();
    expect(openId.value).toBe(id);
    expect(messagesOf(id).value.size).toBe(1);
  });

  it('is gone when another one is shown, and nothing late brings it back', async () => {
    toggleTemporary();
    const id = say();
    removeMessage(id, 'q1');
    newChat();
    await vi.waitFor(() => expect(asked.deleted).toContain(id));
    expect(isLoaded(id)).toBe(false);
    expect(heads.value.has(id)).toBe(false);
    undo();
    keepMessages(id, [question]);
    expect(await stored()).toEqual({ heads: 0, messages: 0 });
    expect(storedHeads()).toEqual([]);
  });

  it('is stored whole when the person wants it after all', async () => {
    toggleTemporary();
    const id = say();
    toggleTemporary();
    expect(isTemporary(id)).toBe(false);
    expect(await stored()).toEqual({ heads: 1, messages: 1 });
    expect(await store.head(id)).toMatchObject({ title: 'A secret?', leaf: 'q1' });
    newChat();
    expect(storedHeads().map((head) => head.id)).toEqual([id]);
  });

  it('begins as one that is not, and may end so before anything is said', async () => {
    const id = openId.value;
    toggleTemporary();
    toggleTemporary();
    expect(isTemporary(id)).toBe(false);
    expect(await stored()).toEqual({ heads: 0, messages: 0 });
    say();
    expect(await stored()).toEqual({ heads: 1, messages: 1 });
  });
});
