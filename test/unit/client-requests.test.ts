import { expose } from 'comlink';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEngine } from '../../src/client';
import { TabmindError } from '../../src/errors';
import { Line } from '../../src/line';
import type { ChatChunk, ChatRequest, GenerateRequest, GenerateResult } from '../../src/protocol';
import type { StreamMessage } from '../../src/worker-api';

type Send = (...items: StreamMessage['items']) => void;

/** What the worker does with requests, and which it was asked to abort. */
const worker = {
  chat: async (_send: Send): Promise<void> => undefined,
  generate: async (_request: GenerateRequest, _send: Send): Promise<void> => undefined,
  aborted: [] as string[],
  /** Messages that came from the page. */
  numMessages: 0,
};

const REQUEST: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] };

function chunk(content: string): ChatChunk {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }] as const;
  return { id: 'id', object: 'chat.completion.chunk', created: 0, model: 'm', choices };
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

class FakeWorker {
  readonly #port: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    port2.addEventListener('message', () => worker.numMessages++);
    const line = new Line(port2);
    const send =
      (stream: number | undefined): Send =>
      (...items) => {
        if (stream !== undefined) line.send({ stream, items });
      };
    const api = {
      chat: (_: string, __: ChatRequest, stream: number) => worker.chat(send(stream)),
      generate: async (_: string, request: GenerateRequest, stream?: number) => {
        await worker.generate(request, send(stream));
        return { ids: request.ids } as unknown as GenerateResult;
      },
      abort: async (id: string) => void worker.aborted.push(id),
    };
    expose(api, line);
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

beforeAll(() => {
  vi.stubGlobal('Worker', FakeWorker);
});

beforeEach(() => {
  worker.aborted = [];
  worker.numMessages = 0;
});

describe('a chat through the wall', () => {
  it('is whole although the reply comes in the same task as the last chunks', async () => {
    worker.chat = async (send) => {
      send(chunk('One'));
      await pause(5);
      send(chunk(' two'), chunk(' three'));
    };
    expect(await listen()).toEqual({ texts: ['One', ' two', ' three'] });
  });

  it('gives what came before an error, and then the error', async () => {
    worker.chat = async (send) => {
      send(chunk('One'));
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
    let goOn: Send = () => undefined;
    worker.chat = (send) => {
      goOn = send;
      send(chunk('One'), chunk(' two'));
      return new Promise(() => undefined);
    };
    for await (const { choices } of createEngine().chat(REQUEST, { requestId: 'left' })) {
      expect(choices[0].delta.content).toBe('One');
      break;
    }
    expect(worker.aborted).toEqual(['left']);
    goOn(chunk(' three'));
    await pause(5);
  });
});

describe('requests that the page makes at once', () => {
  it('come in one message, and each gets its own tokens before its result', async () => {
    worker.generate = async ({ ids }, send) => {
      for (const id of ids) {
        send(id, id + 1);
        await pause(1);
      }
    };
    const engine = createEngine();
    const heard: (readonly number[])[][] = [[], [], []];
    const results = await Promise.all(
      heard.map(async (tokens, i) => {
        const onTokens = (ids: readonly number[]) => tokens.push(ids);
        const { ids } = await engine.generate({ ids: [10 * i, 10 * i + 5], max_tokens: 2 }, { onTokens });
        return { ids, heard: [...tokens] };
      }),
    );
    expect(results).toEqual(
      [0, 10, 20].map((id) => ({
        ids: [id, id + 5],
        heard: [
          [id, id + 1],
          [id + 5, id + 6],
        ],
      })),
    );
    expect(worker.numMessages).toBe(1);
  });

  it('run although one of them cannot be sent', async () => {
    worker.generate = async () => undefined;
    const engine = createEngine();
    const [first, third] = [
      { ids: [1], max_tokens: 1 },
      { ids: [3], max_tokens: 1 },
    ] as const;
    const bad = { ...first, ids: [() => 1] } as unknown as GenerateRequest;
    const [one, two, three] = await Promise.allSettled(
      [first, bad, third].map((request) => engine.generate(request)),
    );
    expect(one).toMatchObject({ value: { ids: [1] } });
    expect(two).toMatchObject({ status: 'rejected', reason: { name: 'DataCloneError' } });
    expect(three).toMatchObject({ value: { ids: [3] } });
  });
});
