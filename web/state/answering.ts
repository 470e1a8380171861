import { batch, signal } from '@preact/signals';
import {
  type ChatChunk,
  type ErrorCode,
  type FinishReason,
  type ModelInfo,
  TabmindError,
} from '../../src/index';
import { words } from '../i18n/locale';
import { announce } from './announcement';
import { changeHead, keepGrown, keepMessages } from './archive';
import { attachmentsRead, takeAttached } from './attachments';
import { promptOf } from './chat-prompt';
import { fitContext } from './context';
import { generating, knownMessages, messagesOf, openId, pathOf, type Run, runs } from './conversation';
import { dropModel, engine, modelState } from './engine';
import { watchStats } from './engine-numbers';
import { headOf } from './heads';
import { conversationRead, holdAnswer } from './history';
import type { Answer, AttachedFile, Message } from './message';
import { pathTo } from './message-tree';
import { selectedModel } from './models';
import { whenReady } from './readiness';
import { sampling, samplingFields } from './sampling';
import { bringSessionBack, sessionChanged } from './session-keeper';
import { splitThinking } from './thinking';
import { followPriority, priorityOf } from './visible-priority';

/** How often a growing answer is written to the storage. */
const KEEP_MS = 800;
const TITLE_CHARS = 60;

/** Errors after which the weights on the GPU are gone or cannot be trusted. */
const MODEL_IS_LOST: ReadonlySet<ErrorCode> = new Set([
  'device-lost',
  'out-of-memory',
  'wrong-arithmetic',
  'no-model',
  'internal',
]);

/** Errors that leave what was written before as it should be. */
const TEXT_IS_SOUND: ReadonlySet<ErrorCode> = new Set([
  'context-full',
  'device-lost',
  'out-of-memory',
  'no-model',
]);

const isBusy = (conversation: string): boolean => generating.value.has(conversation);

/**
 * Says `text` at the end of a conversation, with the files that are attached, and streams the answer under it. Rejects, before
 * `onSaid`, while an answer is under way there, and where the conversation cannot be read.
 */
export async function send(conversation: string, text: string, onSaid = () => {}): Promise<void> {
  await Promise.all([conversationRead(conversation), attachmentsRead()]);
  if (isBusy(conversation)) throw new Error('an answer is under way in this chat');
  onSaid();
  await ask(conversation, text, pathOf(conversation).at(-1)?.id ?? null, takeAttached(conversation));
}

/** Asks `text` after `parent`: at the end, or beside a question that it replaces, as a new branch. */
export async function ask(
  conversation: string,
  text: string,
  parent: string | null,
  files: readonly AttachedFile[] = [],
): Promise<void> {
  const content = text.trim();
  if (content === '' || isBusy(conversation)) return;
  const place = { id: crypto.randomUUID(), parent, createdMs: Date.now() };
  const attachments = files.length === 0 ? {} : { files };
  const question: Message = { ...place, role: 'user', text: content, ...attachments };
  batch(() => {
    add(conversation, question);
    if (headOf(conversation).title === '') changeHead(conversation, { title: titleOf(content) });
  });
  await answer(conversation, question.id);
}

/** The first line that says something, cut between words where it is long. */
function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0]?.trim() ?? '';
  if (line.length <= TITLE_CHARS) return line;
  const cut = line.slice(0, TITLE_CHARS);
  const space = cut.lastIndexOf(' ');
  return `${space > TITLE_CHARS / 2 ? cut.slice(0, space) : cut}…`;
}

/** Puts a message at the end of its branch and shows that branch. */
function add(conversation: string, message: Message): void {
  const known = messagesOf(conversation);
  known.value = new Map(known.value).set(message.id, message);
  keepMessages(conversation, [message]);
  changeHead(conversation, { leaf: message.id, updatedMs: message.createdMs });
}

/** Another answer to the same question, as a new branch. */
export async function regenerate(conversation: string, { parent }: Answer): Promise<void> {
  if (parent !== null && !isBusy(conversation)) await answer(conversation, parent);
}

/** Goes on where an answer ended, in the same message. */
export async function continueAnswer(conversation: string, turn: Answer): Promise<void> {
  if (isBusy(conversation)) return;
  // it stopped within a character, which the model writes once more
  turn.text.value = turn.text.value.replace(/\uFFFD+$/, '');
  await run(conversation, turn, true);
}

/**
 * Answers the last question on screen once more, in place of an answer that failed; goes on with one whose text is sound, as
 * long as the same model answers.
 */
export async function retry(): Promise<void> {
  const conversation = openId.value;
  const last = pathOf(conversation).at(-1);
  if (last === undefined || isBusy(conversation)) return;
  if (last.role === 'user') return answer(conversation, last.id);
  if (last.text.value === '') return run(conversation, last, false);
  const state = last.state.value;
  const isSound = state.status === 'failed' && TEXT_IS_SOUND.has(state.error.code);
  const goesOn = isSound && last.model === selectedModel.value.id;
  return goesOn ? continueAnswer(conversation, last) : regenerate(conversation, last);
}

async function answer(conversation: string, parent: string): Promise<void> {
  const turn: Answer = {
    role: 'assistant',
    id: crypto.randomUUID(),
    parent,
    // after its question also where the clock stands still between the two
    createdMs: Math.max(Date.now(), (messagesOf(conversation).value.get(parent)?.createdMs ?? 0) + 1),
    model: selectedModel.value.id,
    text: signal(''),
    state: signal<Answer['state']['value']>({ status: 'waiting' }),
    thinkingMs: signal<number | null>(null),
  };
  add(conversation, turn);
  await run(conversation, turn, false);
}

/** What was deleted meanwhile must not come back. */
function keep(conversation: string, turn: Answer): void {
  if (knownMessages(conversation).has(turn.id)) keepGrown(conversation, turn);
}

function setRun(id: string, run: Run | null): void {
  const next = new Map(runs.value);
  if (run === null) next.delete(id);
  else next.set(id, run);
  runs.value = next;
}

/** An answer without a word yet is the work of the model that answers, whichever was chosen when it was asked for. */
function writtenBy(conversation: string, turn: Answer, model: string): Answer {
  if (turn.model === model || turn.text.value !== '') return turn;
  const answer = { ...turn, model };
  const known = knownMessages(conversation);
  if (known.has(turn.id)) messagesOf(conversation).value = new Map(known).set(turn.id, answer);
  return answer;
}

async function run(conversation: string, turn: Answer, isContinued: boolean): Promise<void> {
  const controller = new AbortController();
  const ended = holdAnswer(turn.id, () => compute(conversation, turn, controller, isContinued));
  batch(() => {
    turn.state.value = { status: 'waiting' };
    setRun(turn.id, { conversation, controller, ended });
  });
  await ended;
}

async function compute(
  conversation: string,
  asked: Answer,
  controller: AbortController,
  isContinued: boolean,
): Promise<void> {
  let turn = asked;
  try {
    const info = await whenReady(controller.signal);
    turn = writtenBy(conversation, turn, info.id);
    turn.state.value = { status: 'answering' };
    announce(words.value.chat.started);
    await stream(conversation, turn, controller, info, isContinued);
    if (finished(turn) === 'abort') announceStopped(conversation, turn);
    else announce(words.value.chat.finished);
  } catch (thrown) {
    if (controller.signal.aborted || isAbort(thrown)) markStopped(conversation, turn);
    else fail(turn, TabmindError.from(thrown));
  } finally {
    setRun(turn.id, null);
    keep(conversation, turn);
  }
}

/** Stopping throws or ends the stream, and then nothing of it is an error. */
async function stream(
  conversation: string,
  turn: Answer,
  controller: AbortController,
  model: ModelInfo,
  isContinued: boolean,
): Promise<void> {
  const branch = pathTo(messagesOf(conversation).value, isContinued ? turn.id : turn.parent);
  const { systemPrompt, dropsOldest } = headOf(conversation);
  const whole = promptOf(systemPrompt, branch, isContinued);
  const request = {
    ...samplingFields(sampling.value),
    messages: await fitContext(whole, model.contextLength, dropsOldest, isContinued),
    continue_final_message: isContinued,
    session: conversation,
    priority: priorityOf(conversation),
  };
  const requestId = crypto.randomUUID();
  // a first turn has nothing that could come back
  if (branch.length > 1) await bringSessionBack(conversation, model);
  const unfollow = followPriority(conversation, (priority) => setPriority(requestId, priority));
  const unwatch = watchStats();
  const keeping = setInterval(() => keep(conversation, turn), KEEP_MS);
  try {
    let last: ChatChunk | null = null;
    const clock = thinkingClock(turn);
    for await (const chunk of engine().chat(request, { signal: controller.signal, requestId })) {
      const delta = chunk.choices[0].delta.content;
      if (delta !== undefined) {
        turn.text.value += delta;
        clock();
      }
      if (chunk.choices[0].finish_reason !== null) last = chunk;
    }
    turn.state.value = endOf(last, controller.signal.aborted);
    sessionChanged(conversation);
  } finally {
    clearInterval(keeping);
    unwatch();
    unfollow();
  }
}

/** A worker that has failed says so where the answer is waited for. */
function setPriority(requestId: string, priority: number): void {
  engine()
    .setPriority(requestId, priority)
    .catch((thrown: unknown) => console.warn('tabmind could not change the priority of an answer.', thrown));
}

function endOf(last: ChatChunk | null, isAborted: boolean): Answer['state']['value'] {
  return {
    status: 'done',
    finishReason: last?.choices[0].finish_reason ?? (isAborted ? 'abort' : 'stop'),
    usage: last?.usage ?? null,
    timings: last?.timings ?? null,
  };
}

/** Called after each piece of text: takes the time at the first one that ends the thinking. */
function thinkingClock(turn: Answer): () => void {
  let startMs: number | null = null;
  return () => {
    if (turn.thinkingMs.value !== null) return;
    startMs ??= performance.now();
    const { thinking, isThinking } = splitThinking(turn.text.value);
    if (thinking !== null && !isThinking) turn.thinkingMs.value = performance.now() - startMs;
  };
}

function finished(turn: Answer): FinishReason | null {
  const state = turn.state.value;
  return state.status === 'done' ? state.finishReason : null;
}

const isAbort = (thrown: unknown): boolean =>
  (thrown instanceof DOMException && thrown.name === 'AbortError') ||
  (thrown instanceof TabmindError && thrown.code === 'cancelled');

function markStopped(conversation: string, turn: Answer): void {
  turn.state.value = { status: 'done', finishReason: 'abort', usage: null, timings: null };
  announceStopped(conversation, turn);
}

/** Where it was deleted, that is what is read out. */
function announceStopped(conversation: string, { id }: Answer): void {
  if (knownMessages(conversation).has(id)) announce(words.value.chat.stopped);
}

function fail(turn: Answer, error: TabmindError): void {
  turn.state.value = { status: 'failed', error };
  announce(words.value.error.texts[error.code].title);
  // of several answers that fail with the model, only the first may drop it: by the next it may be loading again
  if (MODEL_IS_LOST.has(error.code) && modelState.value.status === 'ready') dropModel(error);
}
