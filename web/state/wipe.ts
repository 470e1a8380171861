import { dropEverything } from './archive';
import { forgetSavedSessions } from './engine-session';
import { readAll } from './history';
import { leaveAll } from './leaving';

/** Deletes every conversation of this browser. Resolves to false when the browser refused. */
export async function wipeConversations(): Promise<boolean> {
  const isGone = await dropEverything(leaveAll);
  if (isGone) forgetSavedSessions();
  // it may have got halfway: what is stored no longer must not be shown as if it were
  else await readAll();
  return isGone;
}
