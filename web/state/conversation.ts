import { computed, effect, type Signal, signal } from '@preact/signals';
import { headOf, newHead, putHead } from './heads';
import type { Message, Messages } from './message';
import { indexChildren, pathTo } from './message-tree';
import { isTemporary } from './temporary';

const TAB_KEY = 'tabmind.open';

/** The conversation that this tab showed before a reload; a new tab begins a new one. */
function rememberedId(): string | null {
  try {
    return sessionStorage.getItem(TAB_KEY);
  } catch (thrown) {
    console.warn('tabmind could not read which chat was open.', thrown);
    return null;
  }
}

const remembered = rememberedId();

/** The conversation on screen. */
export const openId = signal(remembered ?? crypto.randomUUID());

/** Its messages are still being read from the storage. */
export const isOpening = signal(remembered !== null);

const loaded = new Map<string, Signal<Messages>>();

/** The messages of a conversation as far as this tab has read or made them. */
export function messagesOf(conversation: string): Signal<Messages> {
  const known = loaded.get(conversation);
  if (known !== undefined) return known;
  const made = signal<Messages>(new Map());
  loaded.set(conversation, made);
  return made;
}

const NONE: Messages = new Map();

/** The same as they are now; none where this tab has read or made none. */
export const knownMessages = (conversation: string): Messages => loaded.get(conversation)?.value ?? NONE;

export const isLoaded = (conversation: string): boolean => loaded.has(conversation);

/** Conversations of which this tab has read or made something. */
export const loadedIds = (): readonly string[] => [...loaded.keys()];

export function unload(conversation: string): void {
  loaded.delete(conversation);
}

export const openHead = computed(() => headOf(openId.value));
export const messages = computed(() => messagesOf(openId.value).value);
export const children = computed(() => indexChildren(messages.value));

/** The branch on screen, from the first question to the last message. */
export const path = computed<readonly Message[]>(() => pathTo(messages.value, openHead.value.leaf));

/** An answer that this tab computes. */
export interface Run {
  readonly conversation: string;
  readonly controller: AbortController;
  /** Settles when nothing of it is computed any more. */
  readonly ended: Promise<void>;
}

/** By the answer's id. */
export const runs = signal<ReadonlyMap<string, Run>>(new Map());

/** Conversations of this tab in which an answer is under way. */
export const generating = computed<ReadonlySet<string>>(
  () => new Set([...runs.value.values()].map(({ conversation }) => conversation)),
);

export const isAnswering = computed(() => generating.value.has(openId.value));

/** Stops the answer of one conversation: the one on screen unless another is named. */
export function stop(conversation = openId.value): void {
  for (const run of runs.value.values()) if (run.conversation === conversation) run.controller.abort();
}

/** Stops every answer of this tab; resolves when all of them have ended. */
export async function stopAll(): Promise<void> {
  const all = [...runs.value.values()];
  for (const { controller } of all) controller.abort();
  await Promise.allSettled(all.map(({ ended }) => ended));
}

/** Stops every answer that streams; those that still wait for a model may get it from the next. */
export function interrupt(): void {
  for (const [id, { conversation, controller }] of runs.value) {
    const answer = messagesOf(conversation).value.get(id);
    if (answer?.role === 'assistant' && answer.state.value.status === 'answering') controller.abort();
  }
}

/** A clean page. What other conversations compute goes on. */
export function newChat(): void {
  const id = crypto.randomUUID();
  putHead(newHead(id));
  isOpening.value = false;
  editing.value = null;
  openId.value = id;
}

/** The message that is being rewritten. */
export const editing = signal<string | null>(null);

/** The last question on screen, for the arrow key that rewrites it. */
export function editLast(): void {
  if (isAnswering.value) return;
  editing.value = path.value.findLast(({ role }) => role === 'user')?.id ?? null;
}

/** The branch of a conversation that is not necessarily on screen. */
export const pathOf = (conversation: string): readonly Message[] =>
  pathTo(messagesOf(conversation).value, headOf(conversation).leaf);

/** Keeps, for this tab alone, which conversation is open; a new chat in which nothing was said is not worth it. */
export function keepOpen(): () => void {
  return effect(() => {
    if (isOpening.value) return;
    try {
      if (openHead.value.leaf === null || isTemporary(openId.value)) sessionStorage.removeItem(TAB_KEY);
      else sessionStorage.setItem(TAB_KEY, openId.value);
    } catch (thrown) {
      console.warn('tabmind could not keep which chat is open.', thrown);
    }
  });
}
