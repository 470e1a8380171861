// Stands in for the engine's worker: a model that writes a given text at a given rate, and computes nothing.
import { expose } from 'comlink';
import type { EngineStats, ModelInfo } from '../../src/index';
import { Line } from '../../src/line';
import type { ChatChunk } from '../../src/protocol';
import type { WorkerApi } from '../../src/worker-api';

/** What the page that measures puts in front of this file. */
declare const STREAM: { readonly text: string; readonly tokensPerSecond: number };

const line = new Line();

/** Characters of one token of English text. */
const TOKEN_CHARS = 4;
/** Ids are read back in steps, and what has come meanwhile is sent as one message. */
const STEP_MS = 5;

const model: ModelInfo = {
  id: 'tabmind/starter',
  architecture: 'llama',
  parameters: 1.5e9,
  contextLength: 2 ** 24,
  vocabSize: 1000,
  weightBytes: 1e9,
  kvBits: 8,
  weightBits: 4,
  math: 'f32',
  defaults: {
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    minNewTokens: 0,
    maxNewTokens: null,
  },
  fromCache: true,
  cacheRead: null,
  loadMs: 1,
  warnings: [],
};

const stats: EngineStats = {
  model,
  gpu: null,
  running: 1,
  waiting: 0,
  kvBlocksTotal: 1000,
  kvBlocksUsed: 500,
  kvBlocksCached: 100,
  kvBlocksFree: 400,
  kvBlockTokens: 32,
  promptTokens: 100,
  prefixHitTokens: 50,
  numPreemptions: 0,
  draftTokens: 0,
  acceptedDraftTokens: 0,
  tokensPerStep: 1,
  weightBytes: 1e9,
  kvBytes: 1e9,
  stepsSubmitted: 0,
  tokensGenerated: 0,
  isTuned: true,
  dispatchesPerDecodeStep: 0,
  bindingsPerDispatch: 4,
  weightBytesPerStep: 1e9,
  kvBytesPerToken: 1000,
};

function chunk(content: string, end: 'stop' | null): ChatChunk {
  const choices = [{ index: 0, delta: { content }, finish_reason: end }] as const;
  return { id: 'stream', object: 'chat.completion.chunk', created: 0, model: model.id, choices };
}

async function chat(_requestId: string, _request: unknown, stream: number): Promise<void> {
  const { text, tokensPerSecond } = STREAM;
  const startMs = performance.now();
  for (let sent = 0; sent < text.length; ) {
    await new Promise((done) => setTimeout(done, STEP_MS));
    const due = Math.floor(((performance.now() - startMs) / 1000) * tokensPerSecond) * TOKEN_CHARS;
    const chunks: ChatChunk[] = [];
    for (; sent < Math.min(due, text.length); sent += TOKEN_CHARS)
      chunks.push(chunk(text.slice(sent, sent + TOKEN_CHARS), null));
    if (chunks.length > 0) line.send({ stream, items: chunks });
  }
  line.send({ stream, items: [chunk('', 'stop')] });
}

type Streaming = Pick<
  WorkerApi,
  | ('load' | 'chat' | 'stats' | 'measureRoom' | 'listCached' | 'savedConversations' | 'setPriority')
  | ('abort' | 'renderChat' | 'restoreSession' | 'saveSession' | 'dropSession')
>;

const api = {
  load: async () => model,
  chat,
  stats: async () => stats,
  measureRoom: async () => null,
  listCached: async () => [],
  savedConversations: async () => ({ count: 0, bytes: 0 }),
  setPriority: async () => undefined,
  abort: async () => undefined,
  renderChat: async () => [],
  restoreSession: async () => 0,
  saveSession: async () => false,
  dropSession: async () => undefined,
} satisfies Streaming;

expose(api, line);
