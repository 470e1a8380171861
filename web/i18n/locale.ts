import { computed, signal } from '@preact/signals';
import { language } from '../state/settings';
import { type Dictionary, en } from './en';

export type Locale = 'en' | 'zh';

/** English is part of the page; every other language comes when it is spoken. */
const dictionaries = signal<Readonly<Partial<Record<Locale, Dictionary>>>>({ en });

const browserLanguages = signal(navigator.languages);
addEventListener('languagechange', () => {
  browserLanguages.value = navigator.languages;
});

/** The first language of the browser that we speak; English when there is none. */
export function preferredLocale(languages: readonly string[]): Locale {
  for (const tag of languages) {
    const primary = tag.toLowerCase().split('-')[0];
    if (primary === 'zh' || primary === 'en') return primary;
  }
  return 'en';
}

/** What the page speaks now: the setting, or the browser's preference while it is 'auto'. */
export const locale = computed<Locale>(() =>
  language.value === 'auto' ? preferredLocale(browserLanguages.value) : language.value,
);

/** Every visible word, in the current language; in English until the others have been fetched. */
export const words = computed<Dictionary>(() => dictionaries.value[locale.value] ?? en);

/** Fetches the words of the current language when they are not here yet. Never rejects: English is better than no page. */
export async function fetchWords(): Promise<void> {
  if (dictionaries.value[locale.value] !== undefined) return;
  try {
    const { zh } = await import('./zh');
    dictionaries.value = { ...dictionaries.value, zh };
  } catch (thrown) {
    console.warn('tabmind could not fetch the words of this language.', thrown);
  }
}
