import { signal } from '@preact/signals';
import { TabmindError } from '../../src/index';
import { type MessageRecord, RECORD_VERSION } from '../storage/conversation-record';
import { ConversationStore } from '../storage/conversation-store';
import { type Generation, WipedError } from '../storage/generation';
import { knownMessages } from './conversation';
import { type Head, type HeadPatch, headOf, heads, putHead } from './heads';
import type { Answer, Message } from './message';
import { toRecord } from './message-record';
import { isTemporary } from './temporary';
import { noteChange } from './unfinished';
import { WorkQueue } from './work-queue';

/** What tabs tell each other: look again at this conversation, or at all. */
export interface Note {
  readonly kind: 'changed' | 'deleted' | 'all';
  readonly conversation: string;
  /** Messages that were written or deleted; left out where it may be any of them. */
  readonly ids?: readonly string[];
}

export const store = new ConversationStore();

const channel = new BroadcastChannel('tabmind-conversations');

/** Those in this tab who want to hear of changes of other tabs, */
const listeners: ((note: Note) => void)[] = [];
/** and of its own too. */
const watchers: ((note: Note) => void)[] = [];

/** The generation of all that this tab knows; null until it has met one. */
let known: Generation | null = null;

/** Whether all that this tab knows was deleted, now that `generation` is stored. */
export function isWiped(generation: Generation): boolean {
  known ??= generation;
  return known !== generation;
}

/** From now on this tab knows nothing that is older than `generation`, and asks for nothing older to be written. */
export function beginAnew(generation: Generation): void {
  known = generation;
  if (refused.length === 0) return;
  refused = [];
  keepProblem.value = null;
}

/** Why the last change was not kept; null while all is well. */
export const keepProblem = signal<TabmindError | null>(null);

/** Writes happen in the order in which they were asked for. */
const writes = new WorkQueue();

let writesBegun = 0;

/** Changes so far, whether they are in the storage yet or not. */
export const numWrites = (): number => writesBegun;

interface Refused {
  readonly conversation: string;
  readonly again: () => void;
}

/** Changes that the browser refused to store, in their order. */
let refused: readonly Refused[] = [];

/** A conversation is deleted, or brought back: what was refused of it before says nothing any more. */
function forgetRefused(conversation: string): void {
  refused = refused.filter((change) => change.conversation !== conversation);
}

/** Tries to store once more what was refused. */
export function keepAgain(): void {
  const changes = refused;
  refused = [];
  keepProblem.value = null;
  for (const { again } of changes) again();
}

/**
 * Resolves to whether it was kept; a refusal is shown, and never thrown at the answer that streams. What is tried again later
 * must write what is true then, not what was true when it was refused. Changes of all conversations are neither shown nor tried
 * again: who asked is told. `act` writes for the generation that was known when it was asked for.
 */
function write(note: Note, act: (since: Generation) => Promise<unknown>): Promise<boolean> {
  writesBegun++;
  const asked = known;
  return writes.add(async () => {
    try {
      await act(asked ?? (await store.generation()));
      tell(note);
      return true;
    } catch (thrown) {
      if (thrown instanceof WipedError) lookAgain();
      else refuse(note, act, thrown);
      return false;
    }
  });
}

function tell(note: Note): void {
  channel.postMessage(note);
  for (const look of watchers) look(note);
}

function refuse(note: Note, act: (since: Generation) => Promise<unknown>, thrown: unknown): void {
  console.warn('tabmind could not keep a change of a chat.', thrown);
  const { kind, conversation } = note;
  if (kind === 'all') {
    // a part of it may be done
    tell(note);
    return;
  }
  refused = [...refused, { conversation, again: () => void write(note, act) }];
  keepProblem.value = TabmindError.from(thrown, isQuota(thrown) ? 'quota' : 'storage');
}

/** Another tab has changed everything and this one did not hear of it: as if it heard now. */
export function lookAgain(): void {
  for (const look of listeners) look({ kind: 'all', conversation: '' });
}

/** Resolves when all that was changed so far has been written, or refused. */
export const settled = (): Promise<void> => writes.settled();

const isQuota = (thrown: unknown): boolean =>
  thrown instanceof DOMException && thrown.name === 'QuotaExceededError';

/** Calls `look` with what other tabs have written. */
export function listen(look: (note: Note) => void): void {
  listeners.push(look);
  channel.addEventListener('message', ({ data }: MessageEvent<Note>) => look(data));
}

/** Calls `look` with what this tab and others have written. */
export function watchStore(look: (note: Note) => void): void {
  watchers.push(look);
  listen(look);
}

/** Changes a head here and, when anything was said in it and it is not temporary, in the storage. */
export function changeHead(id: string, patch: HeadPatch): void {
  const whole: Head = { ...headOf(id), ...patch };
  putHead(whole);
  if (whole.leaf === null || isTemporary(id)) return;
  const done = noteChange(id, patch);
  const fields = Object.keys(patch) as readonly (keyof HeadPatch)[];
  void write({ kind: 'changed', conversation: id, ids: [] }, async (since) => {
    const now = heads.value.get(id);
    if (now === undefined || now.leaf === null) return;
    const changed: HeadPatch = Object.fromEntries(fields.map((field) => [field, now[field]]));
    await store.changeHead({ ...now, version: RECORD_VERSION }, changed, since);
  }).then(done);
}

/** Writes messages of a conversation as they are in it when their turn comes; what it has no longer is left out. */
export function keepMessages(conversation: string, messages: readonly Message[]): void {
  writeMessages(conversation, messages, (records, since) => store.putMessages(records, since));
}

/** The same for an answer that has grown: where another tab has deleted it, it is not written again. */
export function keepGrown(conversation: string, answer: Answer): void {
  writeMessages(conversation, [answer], (records, since) => {
    // it may not be there because it was refused
    const wasRefused = refused.some((change) => change.conversation === conversation);
    return wasRefused ? store.putMessages(records, since) : store.updateMessages(records, since);
  });
}

function writeMessages(
  conversation: string,
  messages: readonly Message[],
  put: (records: readonly MessageRecord[], since: Generation) => Promise<unknown>,
): void {
  if (isTemporary(conversation)) return;
  const ids = messages.map(({ id }) => id);
  void write({ kind: 'changed', conversation, ids }, (since) => {
    const records = present(conversation, ids).map((message) => toRecord(conversation, message));
    return put(records, since);
  });
}

/** Those of `ids` that are still part of a conversation. */
function present(conversation: string, ids: readonly string[]): readonly Message[] {
  const known = knownMessages(conversation);
  return ids.flatMap((id) => known.get(id) ?? []);
}

/** Puts back what was deleted: the messages first, for a head without them would show nothing. */
export function restore(head: Head, records: readonly MessageRecord[]): Promise<boolean> {
  forgetRefused(head.id);
  const whole = { ...head, version: RECORD_VERSION } as const;
  return write({ kind: 'changed', conversation: head.id }, async (since) => {
    await store.putMessages(records, since);
    await store.changeHead(whole, whole, since);
  });
}

export function dropMessages(conversation: string, ids: readonly string[]): void {
  if (isTemporary(conversation)) return;
  void write({ kind: 'changed', conversation, ids }, () => {
    const broughtBack = new Set(present(conversation, ids).map(({ id }) => id));
    return store.deleteMessages(
      conversation,
      ids.filter((id) => !broughtBack.has(id)),
    );
  });
}

export function dropConversation(conversation: string): void {
  if (isTemporary(conversation)) return;
  forgetRefused(conversation);
  void write({ kind: 'deleted', conversation }, () => store.delete(conversation));
}

/** Everything goes; in the moment in which it is gone, `leave` takes it from the page too, which would write it anew. */
export function dropEverything(leave: (generation: Generation) => void): Promise<boolean> {
  return writeAll(async () => leave(await store.clear()));
}

/** For changes of many conversations at once, such as an import. */
export function writeAll(act: (since: Generation) => Promise<unknown>): Promise<boolean> {
  return write({ kind: 'all', conversation: '' }, act);
}
