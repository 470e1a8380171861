import { batch, effect } from '@preact/signals';
import { changeHead, keepMessages } from './archive';
import { messagesOf, openHead, openId } from './conversation';
import { draft, setDraft } from './drafts';
import { forgetSession } from './engine-session';
import { leave } from './leaving';
import { isTemporary, setTemporary } from './temporary';

/** Whether the conversation on screen is stored. One that was temporary is stored whole, as it is now. */
export function toggleTemporary(): void {
  const id = openId.value;
  const typed = draft.value;
  const wasTemporary = isTemporary(id);
  batch(() => {
    // drafts of new chats are kept under another name than those of temporary ones
    setDraft('');
    setTemporary(id, !wasTemporary);
    setDraft(typed);
  });
  if (!wasTemporary || openHead.value.leaf === null) return;
  keepMessages(id, [...messagesOf(id).value.values()]);
  changeHead(id, openHead.value);
}

/** A temporary conversation that is no longer on screen is gone: nothing leads back to it. */
export function forgetTemporary(): () => void {
  let before = openId.value;
  return effect(() => {
    const now = openId.value;
    const left = before;
    before = now;
    if (left === now || !isTemporary(left)) return;
    // after this effect, which must not depend on what is read here; it stays temporary, so that nothing late stores it
    queueMicrotask(() => {
      leave(left);
      forgetSession(left);
    });
  });
}
