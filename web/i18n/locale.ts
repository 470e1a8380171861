import { computed, signal } from '@preact/signals';
import { language } from '../state/settings';
import { type Dictionary, en } from './en';
import { zh } from './zh';

export type Locale = 'en' | 'zh';

const dictionaries: Readonly<Record<Locale, Dictionary>> = { en, zh };

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

/** Every visible word, in the current language. */
export const words = computed<Dictionary>(() => dictionaries[locale.value]);
