import { expose } from 'comlink';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createEngine } from '../../src/client';
import { TabmindError } from '../../src/errors';
import type { ChatChunk, ChatRequest } from '../../src/protocol';

type Chat = (id: string, request: ChatRequest, chunks: MessagePort) => Promise<void>;

/** What the worker does with a request, and which it was asked to abort. */
const worker = { chat: (async () => undefined) as Chat, aborted: [] as string[] };

const REQUEST: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] };

function chunk(content: string): ChatChunk {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }] as const;
  return { id: 'id', object: 'chat.completion.chunk', created: 0, model: 'm', choices };
}

function send(chunks: MessagePort, ...texts: readonly string[]): void {
  for (const text of texts) chunks.postMessage([chunk(text)]);
}

function end(chunks: MessagePort): void {
  chunks.postMessage([]);
  chunks.close();
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

class FakeWorker {
  readonly #port: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    const chat: Chat = (...all) => worker.chat(...all);
    expose({ chat, abort: async (id: string) => void worker.aborted.push(id) }, port2);
    this.#port = port1;
    port1.start();
  }

  addEventListener(...all: Parameters<MessagePort['addEventListener']>): void {
    this.#port.addEventListener(...all);
  }

  postMessage(message: unknown, transfer: Transferable[]): void {
    this.#port.postMessage(message, transfer);
  }
}

/** Texts that arrive, and how it ended. */
async function listen(): Promise<{ readonly texts: readonly string[]; readonly error?: unknown }> {
  const texts: string[] = [];
  try {
    for await (const { choices } of createEngine().chat(REQUEST)) texts.push(choices[0].delta.content ?? '');
    return { texts };
  } catch (error) {
    return { texts, error };
  }
}

describe('a chat through the wall', () => {
  beforeAll(() => {
    vi.stubGlobal('Worker', FakeWorker);
  });

  it('is whole although the reply to the request overtakes its last chunks', async () => {
    worker.chat = async (_, __, chunks) => {
      send(chunks, 'One');
      void pause(20).then(() => {
        send(chunks, ' two', ' three');
        end(chunks);
      });
    };
    expect(await listen()).toEqual({ texts: ['One', ' two', ' three'] });
  });

  it('gives what came before an error, and then the error', async () => {
    worker.chat = async (_, __, chunks) => {
      send(chunks, 'One');
      await pause(5);
      end(chunks);
      throw new TabmindError('context-full', 'No room.');
    };
    const { texts, error } = await listen();
    expect(texts).toEqual(['One']);
    expect(error).toMatchObject({ code: 'context-full' });
  });

  it('ends with what keeps the request from being sent', async () => {
    const messages = [{ role: 'user', content: () => 'no text' }] as unknown as ChatRequest['messages'];
    const chat = createEngine().chat({ messages });
    await expect(chat[Symbol.asyncIterator]().next()).rejects.toThrow(/could not be cloned/);
  });

  it('is aborted when nobody listens any more', async () => {
    let sent: MessagePort | null = null;
    worker.chat = (_, __, chunks) => {
      sent = chunks;
      send(chunks, 'One', ' two');
      return new Promise(() => undefined);
    };
    for await (const { choices } of createEngine().chat(REQUEST, { requestId: 'left' })) {
      expect(choices[0].delta.content).toBe('One');
      break;
    }
    expect(worker.aborted).toEqual(['left']);
    if (sent !== null) end(sent);
  });
});
