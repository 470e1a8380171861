import { effect } from '@preact/signals';
import { type ModelInfo, TabmindError } from '../../src/index';
import { watchStore } from './archive';
import { generating, openId } from './conversation';
import { engine, modelState } from './engine';
import { forgetSession, forgetSessions, inTurn } from './engine-session';
import { storedHeads } from './heads';
import { watchLeft } from './leaving';

/** How long nothing is answered before the conversation on screen is saved. */
const IDLE_MS = 10_000;
/** Most that all saved conversations take together, */
const MAX_BYTES = 512 * 2 ** 20;
/** and the share of what the browser has left for this page. */
const ROOM_SHARE = 0.2;

/** Conversations of which the graphics card holds more than was saved. */
const unsaved = new Set<string>();
/** What was looked for in the storage since this model was loaded. */
const looked: { model: ModelInfo | null; readonly conversations: Set<string> } = {
  model: null,
  conversations: new Set(),
};
/** The browser has no room: nothing more is saved on this visit. */
let isFull = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Saves what the graphics card holds of the conversation on screen, once nothing is answered or the tab is hidden, and gives
 * up what is kept of conversations that this tab or another deletes.
 */
export function keepSessions(): void {
  effect(() => {
    void openId.value;
    wait();
  });
  watchStore(({ kind, conversation }) => {
    if (kind === 'deleted') forgetSession(conversation);
  });
  watchLeft(forgetSessions);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') void saveOpenSession();
  });
}

/** A turn of `conversation` was computed. */
export function sessionChanged(conversation: string): void {
  unsaved.add(conversation);
  wait();
}

function wait(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void saveOpenSession(), IDLE_MS);
}

/** Resolves when it is saved, or was not worth it. A temporary or empty conversation is not in the list, and never saved. */
async function saveOpenSession(): Promise<void> {
  const conversation = openId.value;
  const canSave = () =>
    !isFull &&
    modelState.value.status === 'ready' &&
    generating.value.size === 0 &&
    storedHeads().some(({ id }) => id === conversation);
  if (!unsaved.has(conversation) || !canSave()) return;
  await inTurn('save the cache of a chat', async () => {
    // asked twice, or deleted meanwhile
    if (!unsaved.has(conversation) || !canSave()) return;
    unsaved.delete(conversation);
    try {
      await engine().saveSession(conversation, await roomBytes());
    } catch (thrown) {
      isFull = thrown instanceof TabmindError && thrown.code === 'quota';
      throw thrown;
    }
  });
}

/** What all saved conversations may take: those that are there already give up their place when need be. */
async function roomBytes(): Promise<number> {
  const [{ bytes }, { quota, usage }] = await Promise.all([
    engine().savedConversations(),
    navigator.storage.estimate(),
  ]);
  if (quota === undefined || usage === undefined) return MAX_BYTES;
  return Math.min(MAX_BYTES, Math.floor(ROOM_SHARE * Math.max(0, quota - usage + bytes)));
}

/**
 * Brings back what was saved of a conversation, before its first turn since `model` was loaded. What is missing, damaged or
 * of another model is computed again, as is everything when the storage fails: never rejects.
 */
export async function bringSessionBack(conversation: string, model: ModelInfo): Promise<void> {
  if (looked.model !== model) {
    looked.model = model;
    looked.conversations.clear();
  }
  if (looked.conversations.has(conversation)) return;
  looked.conversations.add(conversation);
  await inTurn('bring back the cache of a chat', () => engine().restoreSession(conversation));
}
