import { engine } from './engine';
import { WorkQueue } from './work-queue';

/** Saving and deleting follow each other: what is deleted while it is being saved must not come back. */
const queue = new WorkQueue();

/** Runs `work` after all that was asked for before. It may be lost: sessions are computed again where they are missing. */
export function inTurn(what: string, work: () => Promise<unknown>): Promise<void> {
  return queue.add(async () => {
    try {
      await work();
    } catch (thrown) {
      console.warn(`tabmind could not ${what}.`, thrown);
    }
  });
}

/** What the graphics card and the storage still hold of a conversation that was deleted is given up at once. */
export function forgetSession(conversation: string): void {
  void inTurn('give up the cache of a deleted chat', () => engine().deleteSession(conversation));
}

export function forgetSessions(conversations: readonly string[]): void {
  for (const conversation of conversations) forgetSession(conversation);
}

/** Of what is stored, even of conversations that no list knows. */
export function forgetSavedSessions(): void {
  void inTurn('give up the caches of deleted chats', () => engine().deleteSavedConversations());
}
