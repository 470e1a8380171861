import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { TabmindError } from '../../src/index';
import { beginAnew, dropEverything, restore, settled, store } from '../../web/state/archive';
import { conversationsAsJson, conversationsAsMarkdown, fileName } from '../../web/state/export-file';
import { heads, newHead, putHead } from '../../web/state/heads';
import { importConversations, parseExport } from '../../web/state/import-file';
import { keepPrompt, removePrompt, storedPrompts } from '../../web/state/prompts';
import type { MessageRecord } from '../../web/storage/conversation-record';

// Node 20 has no locks; no other tab holds one here
vi.stubGlobal('navigator', { locks: { query: async () => ({ held: [] }) } });

const head = { ...newHead('c1', 1_000), title: 'Capitals', leaf: 'a2', updatedMs: 2_000 };
const place = { version: 1, conversation: 'c1', createdMs: 1 } as const;
const end = { status: 'done', finishReason: 'stop', usage: null, timings: null } as const;
const answer = { ...place, role: 'assistant', model: 'm', end, thinkingMs: null } as const;
const messages: readonly MessageRecord[] = [
  { ...place, id: 'q1', parent: null, role: 'user', text: 'The capital of France?' },
  { ...answer, id: 'a1', parent: 'q1', text: 'Lyon.', createdMs: 2 },
  { ...answer, id: 'a2', parent: 'q1', text: '<think>hm</think>Paris.', createdMs: 3 },
];

beforeEach(async () => {
  await dropEverything(beginAnew);
  heads.value = new Map();
  putHead(head);
  await restore(head, messages);
});

describe('export and import', () => {
  it('brings everything back, branches included', async () => {
    const text = await conversationsAsJson();
    await dropEverything(beginAnew);
    expect((await store.messages()).items).toEqual([]);
    expect(await importConversations(text)).toEqual({
      numConversations: 1,
      numMessages: 3,
      numPrompts: 0,
      numSkipped: 0,
    });
    await settled();
    expect((await store.messages('c1')).items.toSorted((a, b) => a.createdMs - b.createdMs)).toEqual(
      messages,
    );
    expect(await store.head('c1')).toMatchObject({ title: 'Capitals', leaf: 'a2' });
    expect(heads.value.get('c1')).toEqual(head);
  });

  it('adds what is missing and overwrites nothing', async () => {
    const text = await conversationsAsJson();
    await store.deleteMessages('c1', ['a1']);
    const generation = await store.generation();
    await store.putMessages(
      [{ ...answer, id: 'a2', parent: 'q1', text: 'Paris, of course.', createdMs: 3 }],
      generation,
    );
    const named = { ...head, version: 1, title: 'Renamed since', updatedMs: 3_000 } as const;
    await store.changeHead(named, named, generation);
    expect(await importConversations(text)).toMatchObject({ numMessages: 1 });
    const texts = (await store.messages('c1')).items.map((message) => message.text);
    expect(texts.toSorted()).toEqual(['Lyon.', 'Paris, of course.', 'The capital of France?']);
    expect((await store.head('c1'))?.title).toBe('Renamed since');
  });

  it('carries the prompts with all chats, and adds only those that are missing', async () => {
    await keepPrompt('Haiku', 'Write a haiku about\n');
    const [kept] = await storedPrompts();
    const text = await conversationsAsJson();
    expect(JSON.parse(await conversationsAsJson([head]))).not.toHaveProperty('prompts');
    expect(await importConversations(text)).toMatchObject({ numPrompts: 0 });
    await removePrompt(kept?.id ?? '');
    expect(await storedPrompts()).toEqual([]);
    expect(await importConversations(text)).toMatchObject({ numPrompts: 1 });
    expect(await storedPrompts()).toEqual([kept]);
    const file = { ...JSON.parse(text), prompts: [{ ...kept, id: 'another' }, { name: 'no text' }] };
    expect(await importConversations(JSON.stringify(file))).toMatchObject({ numPrompts: 0, numSkipped: 1 });
    await removePrompt(kept?.id ?? '');
  });

  it('leaves out what cannot be read, and says how much', () => {
    const file = {
      format: 'tabmind-conversations',
      version: 1,
      conversations: [
        { ...head, version: 1, messages: [...messages, { id: 'broken' }] },
        { ...head, version: 7, id: 'c2', messages },
        'nothing',
      ],
    };
    const { conversations, numSkipped } = parseExport(JSON.stringify(file));
    expect(conversations.map(({ messages: read }) => read.length)).toEqual([3]);
    expect(numSkipped).toBe(3);
  });

  it('puts a message only into the conversation that it stands in', () => {
    const [first] = messages;
    const file = {
      format: 'tabmind-conversations',
      conversations: [{ ...head, version: 1, messages: [{ ...first, conversation: 'another' }] }],
    };
    expect(parseExport(JSON.stringify(file)).conversations[0]?.messages[0]?.conversation).toBe('c1');
  });

  it('refuses other files and changes nothing', async () => {
    for (const text of ['{}', 'no JSON', '[1]', '{"format":"other","conversations":[]}']) {
      await expect(importConversations(text)).rejects.toThrow(TabmindError);
    }
    expect((await store.messages()).items).toHaveLength(3);
  });

  it('writes the branch on screen as Markdown, without the thinking', async () => {
    const text = await conversationsAsMarkdown({ you: 'You', model: 'Answer' });
    expect(text).toBe('# Capitals\n\n## You\n\nThe capital of France?\n\n## Answer (m)\n\nParis.\n');
  });

  it('names files after titles', () => {
    expect(fileName('What is 27 + 15?', 'md')).toBe('What-is-27-15.md');
    expect(fileName('你好，世界', 'json')).toBe('你好-世界.json');
    expect(fileName('???', 'json')).toBe('tabmind.json');
  });
});
