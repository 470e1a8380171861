import { signal } from '@preact/signals';

/** Conversations that are never stored: they last until another one is shown, or the page is closed. None is forgotten here. */
const temporary = signal<ReadonlySet<string>>(new Set());

export const isTemporary = (conversation: string): boolean => temporary.value.has(conversation);

export function setTemporary(conversation: string, isOn: boolean): void {
  const next = new Set(temporary.value);
  if (isOn) next.add(conversation);
  else next.delete(conversation);
  temporary.value = next;
}
