import { signal } from '@preact/signals';
import { changeHead } from './archive';

/** The conversation that is being renamed. */
export const renaming = signal<string | null>(null);

export const menuButtonId = (conversation: string): string => `history-menu-of-${conversation}`;

/** An empty name keeps the old one. */
export function rename(conversation: string, title: string): void {
  const name = title.trim();
  if (name !== '') changeHead(conversation, { title: name, isNamed: true });
}

/** Once the list is drawn anew. */
function focusMenuButton(conversation: string): void {
  setTimeout(() => document.getElementById(menuButtonId(conversation))?.focus());
}

/** The field is gone, so the button that led to it gets the focus. */
export function finishRenaming(conversation: string): void {
  renaming.value = null;
  focusMenuButton(conversation);
}

export function setPinned(conversation: string, isPinned: boolean): void {
  changeHead(conversation, { isPinned });
  // it moves to another group, and is drawn there anew
  focusMenuButton(conversation);
}
