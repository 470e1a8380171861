import { words } from '../i18n/locale';
import { LazyNotice } from '../pwa/lazy-notices';
import { greedy, LANGUAGES, language, THEMES, theme } from '../state/settings';
import type { IconName } from './icon';
import { Menu } from './menu';
import { Segments } from './segments';
import { SwitchRow } from './switch-row';

export const SETTINGS_MENU_ID = 'settings-menu';

const themeIcons: Readonly<Record<(typeof THEMES)[number], IconName>> = {
  system: 'monitor',
  light: 'sun',
  dark: 'moon',
};

export function SettingsMenu() {
  const { settings } = words.value;
  return (
    <Menu id={SETTINGS_MENU_ID} title={settings.title} class="menu-settings">
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
      <SwitchRow
        label={settings.greedy}
        hint={settings.greedyHint}
        isOn={greedy.value}
        onSwitch={(isOn) => {
          greedy.value = isOn;
        }}
      />
      <LazyNotice part="InstallRow" />
    </Menu>
  );
}
