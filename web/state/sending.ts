import { isAnswering, openId } from './conversation';
import { draft, draftRefused, draftSent, keyOfOpen } from './drafts';

/** Conversations in which a text is about to be said. */
const sending = new Set<string>();

/**
 * Sends a text in the open conversation. The part of the page that answers is fetched when it is not there yet; `onSaid` is
 * called when the text has become a message of `conversation`. Rejects where it has not.
 */
export async function sendText(text: string, onSaid = (_conversation: string) => {}): Promise<void> {
  const conversation = openId.value;
  if (sending.has(conversation)) return;
  sending.add(conversation);
  const said = () => {
    sending.delete(conversation);
    onSaid(conversation);
  };
  try {
    const { send } = await import('./answering');
    await send(conversation, text, said);
  } catch (thrown) {
    sending.delete(conversation);
    throw thrown;
  }
}

/** Sends what is typed, unless an answer is under way. It stays typed until it has become a message. */
export function sendDraft(): void {
  const text = draft.value;
  const key = keyOfOpen.value;
  if (text.trim() === '' || isAnswering.value) return;
  let isSaid = false;
  const said = (conversation: string): void => {
    isSaid = true;
    draftSent(key, conversation, text);
  };
  sendText(text, said).catch((thrown: unknown) => {
    console.warn('tabmind could not send the message.', thrown);
    if (!isSaid) draftRefused(key, text);
  });
}
