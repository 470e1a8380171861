import { batch, signal } from '@preact/signals';
import { showBranch } from './branches';
import { messages, openId, path } from './conversation';
import { openConversation } from './history';

/** A message that the reader asked to see. A new object each time, so that the same one can be asked for again. */
export interface Revealed {
  readonly message: string;
}

/** What the transcript is to scroll to; null once it has. */
export const revealed = signal<Revealed | null>(null);

/** Opens a conversation on the newest branch that holds `message`, and has it scrolled to. */
export async function revealMessage(conversation: string, message: string): Promise<void> {
  await openConversation(conversation);
  // the reader may have gone elsewhere meanwhile, or the message may be gone since it was found
  if (openId.value !== conversation || !messages.value.has(message)) return;
  batch(() => {
    if (!path.value.some(({ id }) => id === message)) showBranch(message);
    revealed.value = { message };
  });
}
