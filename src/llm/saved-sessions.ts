import { lazyPart } from '../lazy-part';
import type { SessionStore } from './session-store';

let opened: SessionStore | null = null;

/** The saved conversations. What keeps them is fetched when it is first needed: answering takes none of it. */
export async function savedSessions(): Promise<SessionStore> {
  const { SessionStore } = await lazyPart(() => import('./session-store'));
  opened ??= new SessionStore();
  return opened;
}
