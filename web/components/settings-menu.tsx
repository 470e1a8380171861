import type { Signal } from '@preact/signals';
import { words } from '../i18n/locale';
import { greedy, LANGUAGES, language, THEMES, theme } from '../state/settings';
import { Icon, type IconName } from './icon';
import { Menu } from './menu';

export const SETTINGS_MENU_ID = 'settings-menu';

const themeIcons: Readonly<Record<(typeof THEMES)[number], IconName>> = {
  system: 'monitor',
  light: 'sun',
  dark: 'moon',
};

interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly name: string;
  readonly options: readonly T[];
  readonly labels: Readonly<Record<T, string>>;
  readonly chosen: Signal<T>;
  readonly icons?: Readonly<Record<T, IconName>>;
}

/** Radio buttons drawn as one segmented bar. */
function Choice<T extends string>({ legend, name, options, labels, chosen, icons }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      <div class="segments">
        {options.map((option) => (
          <label key={option} class="segment">
            <input
              type="radio"
              name={name}
              value={option}
              checked={chosen.value === option}
              onChange={() => {
                chosen.value = option;
              }}
            />
            <span>
              {icons !== undefined && <Icon name={icons[option]} />}
              {labels[option]}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function SettingsMenu() {
  const { settings } = words.value;
  return (
    <Menu id={SETTINGS_MENU_ID} title={settings.title} class="menu-settings">
      <Choice
        legend={settings.theme}
        name="theme"
        options={THEMES}
        labels={settings.themes}
        chosen={theme}
        icons={themeIcons}
      />
      <Choice
        legend={settings.language}
        name="language"
        options={LANGUAGES}
        labels={settings.languages}
        chosen={language}
      />
      <label class="switch-row">
        <span>
          {settings.greedy}
          <small>{settings.greedyHint}</small>
        </span>
        <input
          type="checkbox"
          checked={greedy.value}
          onChange={(event) => {
            greedy.value = event.currentTarget.checked;
          }}
        />
      </label>
    </Menu>
  );
}
