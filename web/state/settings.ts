import { effect, signal } from '@preact/signals';
import { readLocalRecord, writeLocalRecord } from '../storage/local-record';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const LANGUAGES = ['auto', 'en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

export const TEXT_SIZES = ['small', 'normal', 'large'] as const;
export type TextSize = (typeof TEXT_SIZES)[number];

/** 'mod-enter' is Ctrl+Enter, and Cmd+Enter on a Mac. */
export const SEND_KEYS = ['enter', 'mod-enter'] as const;
export type SendKey = (typeof SEND_KEYS)[number];

const KEY = 'settings';
const stored = readLocalRecord(KEY) ?? {};

function oneOf<const T extends string>(value: unknown, allowed: readonly T[], otherwise: T): T {
  return allowed.find((candidate) => candidate === value) ?? otherwise;
}

export const theme = signal<Theme>(oneOf(stored.theme, THEMES, 'system'));
export const language = signal<Language>(oneOf(stored.language, LANGUAGES, 'auto'));

export const textSize = signal<TextSize>(oneOf(stored.textSize, TEXT_SIZES, 'normal'));
export const sendKey = signal<SendKey>(oneOf(stored.sendKey, SEND_KEYS, 'enter'));

/** The list of chats stands beside the chat, where there is room for both. */
export const isSidebarOpen = signal(stored.sidebar !== false);

/** Temperature 0 instead of the model's own sampling. */
export const greedy = signal(stored.greedy === true);

/** Keeps the settings as they change. `public/theme.js` reads `theme` from the same record before the first paint. */
export function keepSettings(): () => void {
  return effect(() => {
    writeLocalRecord(KEY, {
      theme: theme.value,
      language: language.value,
      greedy: greedy.value,
      textSize: textSize.value,
      sendKey: sendKey.value,
      sidebar: isSidebarOpen.value,
    });
  });
}
