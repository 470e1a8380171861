import { signal } from '@preact/signals';

export type DialogName = 'settings' | 'search' | 'shortcuts';

export const SETTINGS_SECTIONS = ['general', 'chat', 'answers', 'prompts', 'memory', 'data'] as const;
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

/** What the settings dialog shows, or showed last. */
export const settingsSection = signal<SettingsSection>('general');

/** The dialog that is open; it comes in a chunk of its own. */
export const openDialog = signal<DialogName | null>(null);

/** The list of chats covers the page, on a screen that is too small for both. */
export const isDrawerOpen = signal(false);
