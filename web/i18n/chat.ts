import { computed } from '@preact/signals';
import { type ChatDictionary, chatEn } from './chat-en';
import { chatZh } from './chat-zh';
import { type Locale, locale } from './locale';

const dictionaries: Readonly<Record<Locale, ChatDictionary>> = { en: chatEn, zh: chatZh };

/** The words around messages, in the current language. */
export const chatWords = computed<ChatDictionary>(() => dictionaries[locale.value]);
