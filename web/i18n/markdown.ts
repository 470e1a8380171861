import { computed } from '@preact/signals';
import { type Locale, locale } from './locale';
import { type MarkdownDictionary, markdownEn } from './markdown-en';
import { markdownZh } from './markdown-zh';

const dictionaries: Readonly<Record<Locale, MarkdownDictionary>> = { en: markdownEn, zh: markdownZh };

/** The words of formatted answers, in the current language. */
export const markdownWords = computed<MarkdownDictionary>(() => dictionaries[locale.value]);
