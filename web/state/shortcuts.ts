import { isAnswering, newChat, stop } from './conversation';
import { type DialogName, isDrawerOpen, openDialog } from './dialog';
import { sendKey } from './settings';
import { toggleSidebar } from './sidebar';

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const MOD = isMac ? '⌘' : 'Ctrl';

export type ShortcutName =
  | 'newChat'
  | 'search'
  | 'sidebar'
  | 'stop'
  | 'editLast'
  | 'send'
  | 'newLine'
  | 'help';

/** What the list of shortcuts shows. */
export const shortcutKeys = (): Readonly<Record<ShortcutName, readonly string[]>> => ({
  newChat: [MOD, 'Shift', 'O'],
  search: [MOD, 'K'],
  sidebar: [MOD, 'B'],
  stop: ['Esc'],
  editLast: ['↑'],
  send: sendKey.value === 'enter' ? ['Enter'] : [MOD, 'Enter'],
  newLine: sendKey.value === 'enter' ? ['Shift', 'Enter'] : ['Enter'],
  help: ['?'],
});

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** A menu or a dialog is open, and keys are its own. */
const isCovered = (): boolean => document.querySelector(':popover-open, dialog[open]') !== null;

function show(dialog: DialogName): void {
  // the one that is open gives the focus back to where it came from, which the next one then remembers
  document.querySelector<HTMLDialogElement>('dialog[open]')?.close();
  openDialog.value = dialog;
}

/** Ctrl or Cmd with a letter. */
function modified(event: KeyboardEvent): (() => void) | null {
  const key = event.key.toLowerCase();
  if (event.altKey) return null;
  if (event.shiftKey) return key === 'o' ? newChat : null;
  if (key === 'k') return () => show('search');
  return key === 'b' ? toggleSidebar : null;
}

function plain(event: KeyboardEvent): (() => void) | null {
  if (isCovered()) return null;
  if (event.key === 'Escape' && isAnswering.value) return () => stop();
  if (event.key === '?' && !isTyping(event.target)) return () => show('shortcuts');
  return null;
}

/** Keys that work wherever the focus is. */
export function listenToShortcuts(): void {
  addEventListener('keydown', (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const act = (isMac ? event.metaKey : event.ctrlKey) ? modified(event) : plain(event);
    if (act === null) return;
    event.preventDefault();
    if (event.key.toLowerCase() !== 'b') isDrawerOpen.value = false;
    act();
  });
}
