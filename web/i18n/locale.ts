import { computed, effect, signal } from '@preact/signals';
import { language } from '../state/settings';
import { type Dictionary, en } from './en';

export type Locale = 'en' | 'zh';

/** English is always there; any other language comes when it is spoken. */
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

/** Every visible word, in the current language; in English until that has arrived. */
export const words = computed<Dictionary>(() => dictionaries.value[locale.value] ?? en);

/** Fetches the words of the current language, now and whenever another is chosen. Resolves when the first are there. */
export function keepWords(): Promise<void> {
  let first: Promise<void> = Promise.resolve();
  let isFirst = true;
  effect(() => {
    const work = locale.value === 'zh' ? loadChinese() : Promise.resolve();
    if (isFirst) first = work;
    isFirst = false;
  });
  return first;
}

async function loadChinese(): Promise<void> {
  try {
    const { zh } = await import('./zh');
    dictionaries.value = { ...dictionaries.peek(), zh };
  } catch (thrown) {
    console.warn('tabmind could not fetch its Chinese words.', thrown);
  }
}
