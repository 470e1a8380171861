import { batch, signal } from '@preact/signals';
import { TabmindError } from '../../src/index';
import type { HeadRecord, MessageRecord } from '../storage/conversation-record';
import { WipedError } from '../storage/generation';
import { isWiped, keepProblem, listen, lookAgain, type Note, numWrites, settled, store } from './archive';
import { generating, isLoaded, isOpening, knownMessages, messagesOf, openId, runs } from './conversation';
import { forgetHeads, type Head, headOf, heads, putHead, storedHeads } from './heads';
import { leave, leaveAll } from './leaving';
import type { Message, Messages } from './message';
import { fromRecord, updateAnswer } from './message-record';
import { indexChildren, newestLeaf, pathTo } from './message-tree';
import { isTemporary } from './temporary';
import { finishChanges } from './unfinished';

/** Records that only a newer page can read; they stay where they are. */
export const numUnknown = signal(0);

/** The list of conversations has been read once. */
export const isListed = signal(false);

const LOCK = 'tabmind answer ';
/** How often an answer of another tab is looked at: that tab may be closed in the middle of it. */
const WATCH_MS = 3_000;

let listing: Promise<void> | null = null;
/** Conversations that are being opened. */
const readings = new Map<string, Promise<void>>();

/** The list, which is read once. */
const listed = (): Promise<void> => (listing ??= readList());

/** The branch that its head leads to is here. */
function isRead(id: string): boolean {
  const { leaf } = headOf(id);
  return leaf !== null && knownMessages(id).has(leaf);
}

/**
 * Waits until what is stored of a conversation is here: only then has a question its place in it. Rejects where the storage
 * cannot be read, and where another tab has deleted everything.
 */
export async function conversationRead(id: string): Promise<void> {
  await listed();
  const isNew = headOf(id).leaf === null;
  await noticeWipe().catch(report);
  if (!isNew && headOf(id).leaf === null) throw new WipedError();
  if (headOf(id).leaf !== null && !isRead(id)) await (readings.get(id) ?? readMessages(id));
}

/** Holds the name of an answer while it streams, so that other tabs know that it is alive. */
export function holdAnswer(id: string, work: () => Promise<void>): Promise<void> {
  return navigator.locks.request(LOCK + id, work);
}

/** Reads the list, shows the conversation that was open, and follows what other tabs write. */
export async function startHistory(): Promise<void> {
  listen((note) => void follow(note));
  // a tab that was asleep may not have heard of it
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') noticeWipe().catch(report);
  });
  await listed();
  if (isOpening.value) await openConversation(openId.value);
}

async function readList(): Promise<void> {
  // a wipe first, where its tab was closed in the middle of it
  await store.generation().catch(report);
  await finishChanges(store).catch(report);
  await readHeads();
  isListed.value = true;
}

async function readHeads(): Promise<void> {
  try {
    const { items, numUnknown: unknown, generation } = await upToDate(() => store.heads());
    if (isWiped(generation)) leaveAll(generation);
    numUnknown.value = unknown;
    batch(() => {
      const stored = new Set(items.map(({ id }) => id));
      const gone = storedHeads().filter(({ id }) => !stored.has(id));
      forgetHeads(gone.filter(({ id }) => !generating.value.has(id)).map(({ id }) => id));
      for (const item of items) takeHead(item);
    });
  } catch (thrown) {
    report(thrown);
  }
}

/** Looks whether another tab has deleted everything, leaves it then, and reads what there is now. Rejects with the storage's error. */
export async function noticeWipe(): Promise<void> {
  const generation = await store.generation();
  if (!isWiped(generation)) return;
  leaveAll(generation);
  lookAgain();
}

function report(thrown: unknown): void {
  // what could not be changed any more is gone
  if (thrown instanceof WipedError) return;
  console.warn('tabmind could not read the stored chats.', thrown);
  keepProblem.value = TabmindError.from(thrown, 'storage');
}

/** Takes over what is stored, except where the reader stands: on another branch than the other tab's they stay. */
function takeHead(record: HeadRecord): void {
  const { id, title, isNamed, isPinned, systemPrompt, dropsOldest, createdMs, updatedMs } = record;
  const known = heads.value.get(id);
  const leaf = known === undefined ? record.leaf : leafFor(known, record.leaf);
  putHead({ id, title, isNamed, isPinned, systemPrompt, dropsOldest, createdMs, updatedMs, leaf });
}

function leafFor({ id, leaf }: Head, stored: string | null): string | null {
  if (leaf === null || !isLoaded(id)) return stored;
  const messages = messagesOf(id).value;
  if (!messages.has(leaf)) return stored;
  const follows = pathTo(messages, stored).some((message) => message.id === leaf);
  return follows ? stored : leaf;
}

/** Shows a stored conversation, and nothing else in between. */
export async function openConversation(id: string): Promise<void> {
  batch(() => {
    openId.value = id;
    isOpening.value = !isRead(id);
  });
  if (!isOpening.value) {
    // its tab may be gone meanwhile
    if (isElsewhere(id)) await readMessages(id).catch(report);
    return;
  }
  const reading = readMessages(id);
  readings.set(id, reading);
  await reading.catch(report);
  if (readings.get(id) === reading) readings.delete(id);
  if (openId.value === id) isOpening.value = false;
}

/** What `read` finds in the storage when this tab has changed nothing meanwhile: else it would undo that change here. */
async function upToDate<T>(read: () => Promise<T>): Promise<T> {
  for (;;) {
    const before = numWrites();
    await settled();
    const found = await read();
    if (numWrites() === before) return found;
  }
}

/**
 * Brings a conversation up to date with the storage. What this tab computes itself it knows better, except that another tab
 * has deleted those of `named` that are not stored any more.
 */
async function readMessages(id: string, named: readonly string[] = []): Promise<void> {
  // the storage knows nothing of it
  if (isTemporary(id)) return;
  const known = messagesOf(id);
  const [{ items }, held] = await upToDate(() => Promise.all([store.messages(id), heldAnswers()]));
  // it was deleted meanwhile
  if (!isLoaded(id) || messagesOf(id) !== known) return;
  batch(() => {
    const merged = merge(id, known.value, items, held, named);
    known.value = merged;
    for (const message of named) if (!merged.has(message)) runs.value.get(message)?.controller.abort();
    const head = headOf(id);
    if (known.value.size > 0 && (head.leaf === null || !known.value.has(head.leaf)))
      putHead({ ...head, leaf: newestLeaf(indexChildren(known.value)) });
  });
  watch(id);
}

async function heldAnswers(): Promise<ReadonlySet<string>> {
  const { held = [] } = await navigator.locks.query();
  return new Set(held.flatMap(({ name }) => (name?.startsWith(LOCK) ? [name.slice(LOCK.length)] : [])));
}

function merge(
  id: string,
  known: Messages,
  records: readonly MessageRecord[],
  held: ReadonlySet<string>,
  named: readonly string[],
): Messages {
  const isGenerating = generating.value.has(id);
  // what this tab has just made may not be written yet; what another tab names is stored, or deleted
  const merged = new Map<string, Message>(isGenerating ? known : []);
  for (const message of named) merged.delete(message);
  for (const record of records) {
    const stored = fromRecord(record, (answer) => held.has(answer));
    const mine = known.get(record.id);
    if (mine?.role === 'assistant' && stored.role === 'assistant') {
      if (!runs.value.has(mine.id)) updateAnswer(mine, stored);
      merged.set(mine.id, mine);
    } else merged.set(record.id, mine ?? stored);
  }
  return merged;
}

let watching: ReturnType<typeof setTimeout> | null = null;

/** Another tab answers there, as far as is known. */
function isElsewhere(id: string): boolean {
  return [...knownMessages(id).values()].some(
    (message) => message.role === 'assistant' && message.state.value.status === 'elsewhere',
  );
}

/** While another tab answers in the open conversation, looks whether that tab is still there. */
function watch(id: string): void {
  if (watching !== null || openId.value !== id || !isElsewhere(id)) return;
  watching = setTimeout(() => {
    watching = null;
    const open = openId.value;
    if (isElsewhere(open)) readMessages(open).catch(report);
  }, WATCH_MS);
}

async function follow({ kind, conversation, ids }: Note): Promise<void> {
  if (kind === 'deleted') return leave(conversation);
  if (kind === 'all') return readAll();
  try {
    if (isLoaded(conversation)) await readMessages(conversation, ids);
    const record = await upToDate(() => store.head(conversation));
    if (record !== null) takeHead(record);
  } catch (thrown) {
    report(thrown);
  }
}

/** Reads everything anew: the list, and the conversation on screen. */
export async function readAll(): Promise<void> {
  await readHeads();
  const id = openId.value;
  if (heads.value.has(id)) await readMessages(id).catch(report);
  else if (messagesOf(id).value.size > 0) leave(id);
}
