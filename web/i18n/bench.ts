import { computed } from '@preact/signals';
import { type BenchDictionary, benchEn } from './bench-en';
import { benchZh } from './bench-zh';
import { type Locale, locale } from './locale';

const dictionaries: Readonly<Record<Locale, BenchDictionary>> = { en: benchEn, zh: benchZh };

/** The words of the benchmark page, in the current language. */
export const benchWords = computed<BenchDictionary>(() => dictionaries[locale.value]);
