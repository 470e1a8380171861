import { signal } from '@preact/signals';

/** Something that was deleted and can be brought back for a while. */
export interface Removed {
  readonly kind: 'message' | 'conversation';
  readonly title: string;
  readonly bringBack: () => void;
}

export const removed = signal<Removed | null>(null);

/** Brings back what was deleted last. */
export function undo(): void {
  removed.value?.bringBack();
  removed.value = null;
}
