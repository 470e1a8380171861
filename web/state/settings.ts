import { effect, signal } from '@preact/signals';
import { readLocalRecord, writeLocalRecord } from '../storage/local-record';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const LANGUAGES = ['auto', 'en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

const KEY = 'settings';
const stored = readLocalRecord(KEY) ?? {};

function oneOf<const T extends string>(value: unknown, allowed: readonly T[], otherwise: T): T {
  return allowed.find((candidate) => candidate === value) ?? otherwise;
}

export const theme = signal<Theme>(oneOf(stored.theme, THEMES, 'system'));
export const language = signal<Language>(oneOf(stored.language, LANGUAGES, 'auto'));

/** Temperature 0 instead of the model's own sampling. */
export const greedy = signal(stored.greedy === true);

/** Keeps the settings as they change. `public/theme.js` reads `theme` from the same record before the first paint. */
export function keepSettings(): () => void {
  return effect(() => {
    writeLocalRecord(KEY, { theme: theme.value, language: language.value, greedy: greedy.value });
  });
}
