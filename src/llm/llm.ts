import type { Completion } from '../engine/request';
import { TabmindError } from '../errors';
import { lazyPart } from '../lazy-part';
import type {
  CachedModel,
  GpuRoom,
  Inspection,
  LoadOptions,
  LoadProgress,
  ModelInfo,
  ModelRef,
} from '../model-ref';
import type {
  ChatMessage,
  ChatRequest,
  EngineStats,
  GenerateRequest,
  GenerateResult,
  KernelTime,
  SavedConversations,
  ScoreRequest,
  ScoreResult,
  StepShape,
  Usage,
} from '../protocol';
import { LoadGate } from '../weights/load-gate';
import { WeightStore } from '../weights/weight-store';
import type { SendItems, WorkerApi } from '../worker-api';
import { ChatStream, type SendChunks } from './chat-stream';
import { checkIds, drawSeed, placeOf, samplingParams } from './generation-defaults';
import { measureRoom } from './gpu-room';
import type { LoadedModel } from './loaded-model';
import { NOTHING_LOADED } from './nothing-loaded';
import { type LoadStep, ProgressMeter } from './progress-meter';
import { savedSessions } from './saved-sessions';

interface Loading {
  readonly stop: AbortController;
  readonly gate: LoadGate;
  readonly meter: ProgressMeter;
}

/** One of the answers to a chat request. */
interface Answer {
  readonly id: string;
  readonly answerId: string;
  readonly index: number;
  readonly promptIds: readonly number[];
  readonly badWords: readonly (readonly number[])[];
  readonly request: ChatRequest;
  readonly onChunk: SendChunks;
}

/** The engine as the page sees it: one model at a time, any number of requests. Sees text and tokens both. */
export class Llm implements WorkerApi {
  #model: LoadedModel | null = null;
  #loading: Loading | null = null;
  /** Ids in the engine of the answers to a chat request. */
  readonly #answers = new Map<string, readonly string[]>();
  readonly #send: SendItems;

  constructor(send: SendItems) {
    this.#send = send;
  }

  async load(
    model: ModelRef,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<ModelInfo> {
    await this.unload();
    const meter = new ProgressMeter(onProgress);
    const loading: Loading = { stop: new AbortController(), gate: new LoadGate(), meter };
    const { signal } = loading.stop;
    this.#loading = loading;
    try {
      const report = (step: LoadStep) => meter.report(step);
      const { LoadedModel } = await lazyPart(() => import('./loaded-model'));
      const loaded = await LoadedModel.load(model, options, report, signal, loading.gate);
      // cancelled at the last moment: another load may be under way, and two models would fill the card
      if (signal.aborted) await loaded.close();
      signal.throwIfAborted();
      this.#model = loaded;
      return loaded.info;
    } catch (thrown) {
      if (signal.aborted)
        throw new TabmindError('cancelled', 'Loading was cancelled.', {
          remedy: 'Load the model again to go on.',
        });
      throw TabmindError.from(thrown);
    } finally {
      meter.flush();
      if (this.#loading === loading) this.#loading = null;
    }
  }

  async cancelLoad(): Promise<void> {
    this.#loading?.stop.abort();
  }

  async pauseLoad(): Promise<void> {
    this.#loading?.gate.pause();
    this.#loading?.meter.pause(true);
  }

  async resumeLoad(): Promise<void> {
    this.#loading?.gate.resume();
    this.#loading?.meter.pause(false);
  }

  async inspect(model: ModelRef, options: LoadOptions): Promise<Inspection> {
    const { weightBytes, kvBytes } = await this.stats();
    const { inspectModel } = await lazyPart(() => import('./inspection'));
    return inspectModel(model, options, weightBytes + kvBytes);
  }

  async measureRoom(mostBytes: number): Promise<GpuRoom | null> {
    const { running, waiting, weightBytes, kvBytes } = await this.stats();
    if (running + waiting > 0 || this.#loading !== null) return null;
    return measureRoom(mostBytes, weightBytes + kvBytes);
  }

  async unload(): Promise<void> {
    this.#loading?.stop.abort();
    const model = this.#model;
    this.#model = null;
    await model?.close();
  }

  /** Streams the answers. Resolves after the last chunk was sent; rejects with a TabmindError. */
  async chat(id: string, request: ChatRequest, stream: number): Promise<void> {
    const onChunk: SendChunks = (chunks) => this.#send(stream, chunks);
    const text = this.#text();
    const promptIds = text.encodeChat(request.messages, request.continue_final_message);
    const ids = answerIds(id, request.n ?? 1);
    const badWords = (request.bad_words ?? []).flatMap((word) => text.encodeWord(word));
    const { session: _, ...common } = request;
    const seed = request.seed ?? drawSeed();
    this.#answers.set(id, ids);
    try {
      const answers = ids.map((answerId, index) => {
        // A session goes on with the first answer. A seed out of range stays so, to be refused.
        const own = index === 0 ? { ...request, seed } : { ...common, seed: (seed + index) % 2 ** 32 };
        return this.#answer({ id, answerId, index, promptIds, badWords, request: own, onChunk });
      });
      const ended = await Promise.allSettled(answers);
      for (const answer of ended) if (answer.status === 'rejected') throw answer.reason;
    } finally {
      this.#answers.delete(id);
    }
  }

  async #answer(answer: Answer): Promise<void> {
    const { id, answerId, index, promptIds, badWords, request, onChunk } = answer;
    const { engine, info } = this.#loaded();
    const { contextLength, vocabSize, defaults } = info;
    const roomTokens = contextLength - promptIds.length;
    const stops = typeof request.stop === 'string' ? [request.stop] : (request.stop ?? []);
    const { tokenizer, continuesText: always } = this.#text();
    const text = { tokenizer, continuesText: always || request.continue_final_message === true };
    const stream = new ChatStream(id, info.id, text, stops, onChunk, index);
    const work = engine.add({
      ...placeOf(request),
      id: answerId,
      promptIds,
      params: samplingParams(request, { defaults, roomTokens, vocabSize, badWords }),
      onTokens: (ids, logprobs) => {
        if (stream.push(ids, logprobs)) engine.finish(answerId, 'stop');
      },
    });
    stream.start();
    const completion = await work;
    stream.end(completion.reason, usageOf(promptIds.length, completion), completion.timings);
  }

  async generate(id: string, request: GenerateRequest, stream?: number): Promise<GenerateResult> {
    const { engine, info } = this.#loaded();
    const { contextLength, vocabSize, defaults } = info;
    checkIds('ids', request.ids, vocabSize);
    const roomTokens = contextLength - request.ids.length;
    const badWords = request.bad_words ?? [];
    const params = samplingParams(request, { defaults, roomTokens, vocabSize, badWords });
    const onTokens = (tokens: readonly number[]) => {
      if (stream !== undefined) this.#send(stream, tokens);
    };
    const completion = await engine.add({
      ...placeOf(request),
      id,
      promptIds: request.ids,
      params,
      onTokens,
    });
    const { ids, logprobs, reason, timings } = completion;
    const usage = usageOf(request.ids.length, completion);
    return { ids, ...(logprobs && { logprobs }), finish_reason: reason, usage, timings };
  }

  async score({ ids, positions }: ScoreRequest): Promise<ScoreResult> {
    const model = this.#loaded();
    checkIds('ids', ids, model.info.vocabSize);
    return { vocabSize: model.info.vocabSize, logits: await model.score(ids, positions) };
  }

  async profile(
    position: number,
    shape: StepShape = { decodeRows: 1, chunkTokens: 0 },
  ): Promise<readonly KernelTime[]> {
    return this.#loaded().profile(position, shape);
  }

  async measureReadSpeed(): Promise<number> {
    return this.#loaded().measureReadSpeed();
  }

  async abort(requestId: string): Promise<void> {
    for (const id of this.#answers.get(requestId) ?? [requestId]) this.#model?.engine.abort(id);
  }

  async setPriority(requestId: string, priority: number): Promise<void> {
    for (const id of this.#answers.get(requestId) ?? [requestId])
      this.#model?.engine.setPriority(id, priority);
  }

  async dropSession(session: string): Promise<void> {
    this.#model?.engine.sessions.drop(session);
  }

  async saveSession(session: string, maxBytes?: number): Promise<boolean> {
    return this.#loaded().saveSession(session, maxBytes);
  }

  async restoreSession(session: string): Promise<number> {
    return this.#loaded().restoreSession(session);
  }

  async deleteSession(session: string): Promise<void> {
    await this.dropSession(session);
    await (await savedSessions()).delete(session);
  }

  async savedConversations(): Promise<SavedConversations> {
    return (await savedSessions()).size();
  }

  async deleteSavedConversations(): Promise<void> {
    await (await savedSessions()).clear();
  }

  async stats(): Promise<EngineStats> {
    return this.#model?.stats() ?? NOTHING_LOADED;
  }

  async tokenize(text: string): Promise<readonly number[]> {
    return this.#text().tokenizer.encode(text, { addSpecialTokens: false });
  }

  async renderChat(messages: readonly ChatMessage[], continuesLast = false): Promise<readonly number[]> {
    return this.#text().encodeChat(messages, continuesLast);
  }

  async listCached(): Promise<readonly CachedModel[]> {
    return new WeightStore().list();
  }

  async deleteCached(key: string): Promise<void> {
    await new WeightStore().delete(key);
  }

  #loaded(): LoadedModel {
    if (this.#model) return this.#model;
    throw new TabmindError('no-model', 'No model is loaded.', { remedy: 'Load a model first.' });
  }

  #text() {
    const { text, info } = this.#loaded();
    if (text) return text;
    throw new TabmindError('bad-tokenizer', `${info.id} has no tokenizer.json.`, {
      meaning: 'Text cannot be turned into tokens for this model.',
      remedy: 'Choose a checkpoint with a tokenizer.json.',
    });
  }
}

const MAX_ANSWERS = 64;

/** The first answer has the id of the request. */
function answerIds(id: string, n: number): readonly string[] {
  if (!Number.isInteger(n) || n < 1 || n > MAX_ANSWERS)
    throw new TabmindError('bad-request', `n is ${n}; it must be a whole number, 1 to ${MAX_ANSWERS}.`, {
      remedy: 'Change this setting and send again.',
      details: { name: 'n', value: n },
    });
  return Array.from({ length: n }, (_, i) => (i === 0 ? id : `${id} answer ${i}`));
}

function usageOf(numPromptTokens: number, { ids, numHitTokens }: Completion): Usage {
  return {
    prompt_tokens: numPromptTokens,
    completion_tokens: ids.length,
    total_tokens: numPromptTokens + ids.length,
    prompt_tokens_details: { cached_tokens: numHitTokens },
  };
}
