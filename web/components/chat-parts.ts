import '../styles/turns.css';
import '../styles/history.css';
import { startHistory } from '../state/history';
import { listenToShortcuts } from '../state/shortcuts';

export { ContextMeter } from './context-meter';
export { EnginePanel } from './engine-panel';
export { KeepNotice } from './keep-notice';
export { LoadCard } from './load-card';
export { Sidebar } from './sidebar';
export { Transcript } from './transcript';
export { UndoToast } from './undo-toast';

/** Reads what is stored and listens to the keyboard. */
export async function startChat(): Promise<void> {
  listenToShortcuts();
  await startHistory();
}
