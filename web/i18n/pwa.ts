import { computed } from '@preact/signals';
import { type Locale, locale } from './locale';
import { type PwaDictionary, pwaEn } from './pwa-en';
import { pwaZh } from './pwa-zh';

const dictionaries: Readonly<Record<Locale, PwaDictionary>> = { en: pwaEn, zh: pwaZh };

/** The words of the installed page, in the current language. */
export const pwaWords = computed<PwaDictionary>(() => dictionaries[locale.value]);
