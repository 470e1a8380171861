import { computed, signal } from '@preact/signals';
import { readLocalRecord, writeLocalRecord } from '../storage/local-record';
import { isOpening, openHead, openId } from './conversation';
import { isTemporary } from './temporary';

const KEY = 'drafts';
const WRITE_MS = 400;
/** All new chats share one draft, for they have no name yet. */
const NEW = 'new';

const drafts = signal(readLocalRecord(KEY) ?? {});

/** Where the draft of the conversation on screen is kept: a new chat has a key of its own from its first message on. */
export const keyOfOpen = computed(() => {
  const hasName = isOpening.value || openHead.value.leaf !== null || isTemporary(openId.value);
  return hasName ? openId.value : NEW;
});

/** What is typed and not sent in the conversation on screen. */
export const draft = computed(() => {
  const text = drafts.value[keyOfOpen.value];
  return typeof text === 'string' ? text : '';
});

const changed = new Set<string>();

export function setDraft(text: string): void {
  changeDraft(keyOfOpen.value, text);
}

/** Takes `text`, which is being said in a conversation, out of the draft where it was typed; what was typed since stays. */
export function draftSent(key: string, conversation: string, text: string): void {
  const now = drafts.value[key];
  changeDraft(key, '');
  if (typeof now === 'string' && now !== text)
    changeDraft(conversation, now.startsWith(text) ? now.slice(text.length) : now);
}

/** `text`, which was typed under `key`, could not be said: where its conversation is gone, it is typed in the one on screen. */
export function draftRefused(key: string, text: string): void {
  if (drafts.value[key]) return;
  setDraft(draft.value === '' ? text : `${text}\n${draft.value}`);
}

/** A conversation that is gone needs no draft. */
export function forgetDraft(conversation: string): void {
  changeDraft(conversation, '');
}

function changeDraft(key: string, text: string): void {
  drafts.value = { ...drafts.value, [key]: text };
  if (isTemporary(key)) return;
  if (changed.size === 0) setTimeout(flushDrafts, WRITE_MS);
  changed.add(key);
}

/** Other tabs write to the same record, so only what changed here is put into it. */
function flushDrafts(): void {
  if (changed.size === 0) return;
  const kept: Record<string, unknown> = { ...readLocalRecord(KEY) };
  for (const key of changed) {
    if (drafts.value[key]) kept[key] = drafts.value[key];
    else delete kept[key];
  }
  changed.clear();
  writeLocalRecord(KEY, kept);
}

/** A reload must not lose the last words. */
export function keepDrafts(): void {
  addEventListener('pagehide', flushDrafts);
}
