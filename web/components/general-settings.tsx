import { words } from '../i18n/locale';
import { settingsWords } from '../i18n/settings';
import { LazyNotice } from '../pwa/lazy-notices';
import {
  LANGUAGES,
  language,
  SEND_KEYS,
  sendKey,
  TEXT_SIZES,
  THEMES,
  textSize,
  theme,
} from '../state/settings';
import type { IconName } from './icon';
import { Segments } from './segments';

const themeIcons: Readonly<Record<(typeof THEMES)[number], IconName>> = {
  system: 'monitor',
  light: 'sun',
  dark: 'moon',
};

/** How the page looks, what it speaks, and what sends. */
export function GeneralSettings() {
  const { settings } = words.value;
  const text = settingsWords.value;
  return (
    <>
      <Segments
        legend={settings.theme}
        name="theme"
        options={THEMES}
        labels={settings.themes}
        chosen={theme.value}
        onChoose={(chosen) => {
          theme.value = chosen;
        }}
        icons={themeIcons}
      />
      <Segments
        legend={settings.language}
        name="language"
        options={LANGUAGES}
        labels={settings.languages}
        chosen={language.value}
        onChoose={(chosen) => {
          language.value = chosen;
        }}
      />
      <Segments
        legend={text.textSize}
        name="text-size"
        options={TEXT_SIZES}
        labels={text.textSizes}
        chosen={textSize.value}
        onChoose={(chosen) => {
          textSize.value = chosen;
        }}
      />
      <Segments
        legend={text.sendKey}
        name="send-key"
        options={SEND_KEYS}
        labels={text.sendKeys}
        chosen={sendKey.value}
        onChoose={(chosen) => {
          sendKey.value = chosen;
        }}
      />
      <LazyNotice part="InstallRow" />
    </>
  );
}
