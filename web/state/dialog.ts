import { signal } from '@preact/signals';

export type DialogName = 'settings' | 'search' | 'shortcuts';

/** The dialog that is open; it comes in a chunk of its own. */
export const openDialog = signal<DialogName | null>(null);

/** The list of chats covers the page, on a screen that is too small for both. */
export const isDrawerOpen = signal(false);
