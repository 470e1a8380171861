import { batch } from '@preact/signals';
import { dropEverything } from './archive';
import { messagesOf, newChat, openId, stop, unload } from './conversation';
import { forgetDraft } from './drafts';
import { forgetSessions } from './engine-session';
import { forgetHeads, heads } from './heads';
import { removed } from './removal';

/** Deletes every conversation of this browser. Resolves to false when the browser refused. */
export async function wipeConversations(): Promise<boolean> {
  const ids = [...heads.value.keys()];
  for (const id of ids) stop(id);
  const isGone = await dropEverything();
  if (!isGone) return false;
  batch(() => {
    removed.value = null;
    const isOpenGone = messagesOf(openId.value).value.size > 0;
    forgetHeads(ids);
    for (const id of ids) {
      unload(id);
      forgetDraft(id);
    }
    forgetSessions(ids);
    if (isOpenGone) newChat();
  });
  return true;
}
