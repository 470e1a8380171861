import { computed } from '@preact/signals';
import { type Locale, locale } from './locale';
import { type PickerDictionary, pickerEn } from './picker-en';
import { pickerZh } from './picker-zh';

const dictionaries: Readonly<Record<Locale, PickerDictionary>> = { en: pickerEn, zh: pickerZh };

/** The words for choosing models, in the current language. */
export const pickerWords = computed<PickerDictionary>(() => dictionaries[locale.value]);
