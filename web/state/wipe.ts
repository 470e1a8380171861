import { batch } from '@preact/signals';
import { dropEverything } from './archive';
import { generating, messagesOf, newChat, openId, stop, unload } from './conversation';
import { forgetDraft } from './drafts';
import { forgetSessions } from './engine-session';
import { forgetHeads, heads } from './heads';
import { removed } from './removal';

/** Long enough for any answer to stop. */
const STOP_MS = 3_000;

/** Resolves when nothing is computed in these conversations any more. */
async function idle(conversations: readonly string[]): Promise<void> {
  const endMs = performance.now() + STOP_MS;
  while (conversations.some((id) => generating.value.has(id)) && performance.now() < endMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Deletes every conversation of this browser. Resolves to false when the browser refused. */
export async function wipeConversations(): Promise<boolean> {
  const ids = [...heads.value.keys()];
  for (const id of ids) stop(id);
  // an answer writes its last words when it has stopped
  await idle(ids);
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
