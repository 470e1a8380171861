import { signal } from '@preact/signals';

/** Read out by screen readers: beginnings and ends, never single tokens. */
export const announcement = signal('');

export function announce(text: string): void {
  announcement.value = text;
}
