import { computed } from '@preact/signals';
import { type HistoryDictionary, historyEn } from './history-en';
import { historyZh } from './history-zh';
import { type Locale, locale } from './locale';

const dictionaries: Readonly<Record<Locale, HistoryDictionary>> = { en: historyEn, zh: historyZh };

/** The words of the list of conversations, in the current language. */
export const historyWords = computed<HistoryDictionary>(() => dictionaries[locale.value]);
