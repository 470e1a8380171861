import type { FunctionComponent } from 'preact';
import { settingsWords } from '../i18n/settings';
import { obstacle } from '../state/capability';
import { SETTINGS_SECTIONS, type SettingsSection, settingsSection } from '../state/dialog';
import { AnswerSettings } from './answer-settings';
import { ChatSettings } from './chat-settings';
import { DataSettings } from './data-settings';
import { Dialog } from './dialog';
import { GeneralSettings } from './general-settings';
import { MemorySettings } from './memory-settings';
import { PromptSettings } from './prompt-settings';

const CONTENTS: Readonly<Record<SettingsSection, FunctionComponent>> = {
  general: GeneralSettings,
  chat: ChatSettings,
  answers: AnswerSettings,
  prompts: PromptSettings,
  memory: MemorySettings,
  data: DataSettings,
};

/** Left and right move along the tabs, as in any row of tabs. */
function moveTab(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const step = steps[event.key];
  if (step === undefined) return;
  const tabs = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')];
  const at = tabs.findIndex((tab) => tab.matches(':focus'));
  const next = tabs[(at + step + tabs.length) % tabs.length];
  event.preventDefault();
  next?.focus();
  next?.click();
}

/** Every setting, in one place. Without a model to run, only what concerns the page. */
export function SettingsDialog() {
  const text = settingsWords.value;
  const shown = obstacle.value === null ? SETTINGS_SECTIONS : (['general', 'data'] as const);
  const section = shown.find((name) => name === settingsSection.value) ?? 'general';
  const Content = CONTENTS[section];
  return (
    <Dialog name="settings" title={text.title} class="dialog-settings">
      <div class="settings">
        <div class="tabs" role="tablist" aria-label={text.title} onKeyDown={moveTab}>
          {shown.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`tab-${name}`}
              class="tab"
              aria-selected={name === section}
              aria-controls="settings-panel"
              tabIndex={name === section ? 0 : -1}
              autofocus={name === section}
              onClick={() => {
                settingsSection.value = name;
              }}
            >
              {text.sections[name]}
            </button>
          ))}
        </div>
        <div
          class="settings-panel"
          role="tabpanel"
          id="settings-panel"
          aria-labelledby={`tab-${section}`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
          tabIndex={0}
        >
          <Content />
        </div>
      </div>
    </Dialog>
  );
}
