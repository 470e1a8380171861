import { batch } from '@preact/signals';
import type { Generation } from '../storage/generation';
import { beginAnew } from './archive';
import { knownMessages, loadedIds, newChat, openId, stop, stopAll, unload } from './conversation';
import { forgetDraft } from './drafts';
import { forgetHeads, headOf, heads } from './heads';
import { removed } from './removed';

const watchers: ((conversations: readonly string[]) => void)[] = [];

/**
 * Calls `look` when all conversations are gone and their answers have ended, with those that this tab had: an answer leaves
 * its cache behind when it ends.
 */
export function watchLeft(look: (conversations: readonly string[]) => void): void {
  watchers.push(look);
}

/** A conversation is gone: its answers stop, and where it was on screen a new chat takes its place. */
export function leave(conversation: string): void {
  stop(conversation);
  batch(() => forget([conversation]));
}

function forget(conversations: readonly string[]): void {
  forgetHeads(conversations);
  for (const conversation of conversations) {
    unload(conversation);
    forgetDraft(conversation);
  }
  if (conversations.includes(openId.value)) newChat();
}

/**
 * All conversations are gone, and `generation` has begun: answers stop and nothing of what was said stays, nor the way back to
 * what was deleted before. An answer that takes its time is not waited for: what it still computes finds no conversation. A
 * new chat in which nothing was said goes on.
 */
export function leaveAll(generation: Generation): void {
  const loaded = loadedIds().filter(isBegun);
  const ended = stopAll();
  beginAnew(generation);
  batch(() => {
    removed.value = null;
    forget([...new Set([...loaded, ...[...heads.value.keys()].filter(isBegun)])]);
  });
  void ended.then(() => {
    for (const look of watchers) look(loaded);
  });
}

const isBegun = (conversation: string): boolean =>
  headOf(conversation).leaf !== null || knownMessages(conversation).size > 0;
