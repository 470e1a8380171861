import { computed } from '@preact/signals';
import { type Locale, locale } from './locale';
import { type SettingsDictionary, settingsEn } from './settings-en';
import { settingsZh } from './settings-zh';

const dictionaries: Readonly<Record<Locale, SettingsDictionary>> = { en: settingsEn, zh: settingsZh };

/** The words of the settings dialog, in the current language. */
export const settingsWords = computed<SettingsDictionary>(() => dictionaries[locale.value]);
