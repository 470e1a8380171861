import { isAnswering } from './conversation';
import { draft, setDraft } from './drafts';

/** Sends a text in the open conversation. The part of the page that answers is fetched when it is not there yet. */
export async function sendText(text: string): Promise<void> {
  const { send } = await import('./answering');
  await send(text);
}

/** Sends what is typed, unless an answer is under way. */
export function sendDraft(): void {
  const text = draft.value;
  if (text.trim() === '' || isAnswering.value) return;
  setDraft('');
  sendText(text).catch((thrown: unknown) => {
    // nothing was sent, so nothing typed may be lost
    console.warn('tabmind could not send the message.', thrown);
    setDraft(text);
  });
}
