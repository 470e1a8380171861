import '../styles/turns.css';
import '../styles/composer.css';
import '../styles/history.css';
import { startHistory } from '../state/history';
import { keepSessions } from '../state/session-keeper';
import { listenToShortcuts } from '../state/shortcuts';
import { forgetTemporary } from '../state/temporary-chat';

export { AttachButton } from './attach-button';
export { AttachedFiles } from './attached-files';
export { ContextMeter } from './context-meter';
export { EnginePanel } from './engine-panel';
export { KeepNotice } from './keep-notice';
export { LoadCard } from './load-card';
export { PromptButton } from './prompt-button';
export { PromptMenu } from './prompt-menu';
export { Sidebar } from './sidebar';
export { TemporaryToggle } from './temporary-toggle';
export { Transcript } from './transcript';
export { UndoToast } from './undo-toast';

/** Listens to the keyboard, and reads what is stored, which nothing waits for. */
export function startChat(): void {
  listenToShortcuts();
  forgetTemporary();
  keepSessions();
  void startHistory();
}
