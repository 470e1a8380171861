import { computed, type Signal, signal } from '@preact/signals';
import {
  type ChatChunk,
  type ChatMessage,
  type ChatRequest,
  type ErrorCode,
  type FinishReason,
  TabmindError,
  type Timings,
  type Usage,
} from '../../src/index';
import { words } from '../i18n/locale';
import { announce } from './announcement';
import { dropModel, engine } from './engine';
import { watchStats } from './engine-numbers';
import { whenReady } from './readiness';
import { greedy } from './settings';

export type AnswerState =
  /** The model is still loading. */
  | { readonly status: 'waiting' }
  /** Prefill, then decode. */
  | { readonly status: 'answering' }
  | {
      readonly status: 'done';
      readonly finishReason: FinishReason;
      readonly usage: Usage | null;
      readonly timings: Timings | null;
    }
  | { readonly status: 'failed'; readonly error: TabmindError };

export interface Question {
  readonly role: 'user';
  readonly id: number;
  readonly text: string;
}

/** Text and state are signals so that a streamed token touches one text node, not the list. */
export interface Answer {
  readonly role: 'assistant';
  readonly id: number;
  readonly text: Signal<string>;
  readonly state: Signal<AnswerState>;
}

export type Turn = Question | Answer;

export const turns = signal<readonly Turn[]>([]);
export const draft = signal('');

/** Counts "new chat", so that the message box can take the focus back. */
export const chatNumber = signal(0);

const running = signal<AbortController | null>(null);
export const isAnswering = computed(() => running.value !== null);

/** Errors after which the weights on the GPU are gone or cannot be trusted. */
const MODEL_IS_LOST: ReadonlySet<ErrorCode> = new Set([
  'device-lost',
  'out-of-memory',
  'wrong-arithmetic',
  'no-model',
  'internal',
]);

let nextId = 1;

/** Sends `text` and streams the answer under it. Does nothing while another answer runs or `text` is blank. */
export async function send(text: string): Promise<void> {
  const content = text.trim();
  if (content === '' || isAnswering.value) return;
  draft.value = '';
  const question: Question = { role: 'user', id: nextId++, text: content };
  turns.value = [...turns.value, question];
  await answer();
}

/** Drops the last answer and asks the last question again. */
export async function retry(): Promise<void> {
  if (isAnswering.value) return;
  const kept = turns.value.at(-1)?.role === 'assistant' ? turns.value.slice(0, -1) : turns.value;
  if (kept.at(-1)?.role !== 'user') return;
  turns.value = kept;
  await answer();
}

export function stop(): void {
  running.value?.abort();
}

/** Stops an answer that streams; one that still waits for a model may get it from the next. */
export function interrupt(): void {
  const last = turns.value.at(-1);
  if (last?.role === 'assistant' && last.state.value.status === 'answering') stop();
}

export function newChat(): void {
  stop();
  running.value = null;
  turns.value = [];
  draft.value = '';
  chatNumber.value++;
}

/** What the model is shown: every question, and every answer that has text. */
function history(before: readonly Turn[]): readonly ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const turn of before) {
    if (turn.role === 'user') messages.push({ role: 'user', content: turn.text });
    else if (turn.text.value !== '') messages.push({ role: 'assistant', content: turn.text.value });
  }
  return messages;
}

async function answer(): Promise<void> {
  const messages = history(turns.value);
  const turn: Answer = {
    role: 'assistant',
    id: nextId++,
    text: signal(''),
    state: signal<AnswerState>({ status: 'waiting' }),
  };
  const controller = new AbortController();
  turns.value = [...turns.value, turn];
  running.value = controller;
  try {
    await whenReady(controller.signal);
    turn.state.value = { status: 'answering' };
    announce(words.value.chat.started);
    await stream({ messages, ...(greedy.value ? { temperature: 0 } : {}) }, turn, controller);
    announce(finished(turn) === 'abort' ? words.value.chat.stopped : words.value.chat.finished);
  } catch (thrown) {
    if (controller.signal.aborted || isAbort(thrown)) markStopped(turn);
    else fail(turn, TabmindError.from(thrown));
  } finally {
    if (running.value === controller) running.value = null;
  }
}

/** Stopping throws or ends the stream, and then nothing of it is an error. */
async function stream(request: ChatRequest, turn: Answer, controller: AbortController): Promise<void> {
  const unwatch = watchStats();
  try {
    let last: ChatChunk | null = null;
    for await (const chunk of engine().chat(request, { signal: controller.signal })) {
      const delta = chunk.choices[0].delta.content;
      if (delta !== undefined) turn.text.value += delta;
      if (chunk.choices[0].finish_reason !== null) last = chunk;
    }
    turn.state.value = {
      status: 'done',
      finishReason: last?.choices[0].finish_reason ?? (controller.signal.aborted ? 'abort' : 'stop'),
      usage: last?.usage ?? null,
      timings: last?.timings ?? null,
    };
  } finally {
    unwatch();
  }
}

function finished(turn: Answer): FinishReason | null {
  const state = turn.state.value;
  return state.status === 'done' ? state.finishReason : null;
}

const isAbort = (thrown: unknown): boolean =>
  (thrown instanceof DOMException && thrown.name === 'AbortError') ||
  (thrown instanceof TabmindError && thrown.code === 'cancelled');

function markStopped(turn: Answer): void {
  turn.state.value = { status: 'done', finishReason: 'abort', usage: null, timings: null };
  announce(words.value.chat.stopped);
}

function fail(turn: Answer, error: TabmindError): void {
  turn.state.value = { status: 'failed', error };
  announce(words.value.error.texts[error.code].title);
  if (MODEL_IS_LOST.has(error.code)) dropModel(error);
}
