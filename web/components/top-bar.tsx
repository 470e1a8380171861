import { words } from '../i18n/locale';
import { obstacle } from '../state/capability';
import { newChat } from '../state/conversation';
import { modelState } from '../state/engine';
import { MODEL_MENU_ID } from '../state/error-action';
import { modelName, selectedModel } from '../state/models';
import { Icon } from './icon';
import { IconButton } from './icon-button';
import { Logo } from './logo';
import { SETTINGS_MENU_ID } from './settings-menu';

function ModelButton() {
  const name = modelName(selectedModel.value);
  const { status } = modelState.value;
  return (
    <button
      type="button"
      class="model-button"
      popovertarget={MODEL_MENU_ID}
      aria-label={words.value.bar.modelButton(name, words.value.status[status])}
    >
      <span class={`dot dot-${status}`} aria-hidden="true" />
      <span class="model-button-name">{name}</span>
      <Icon name="chevronDown" />
    </button>
  );
}

export function TopBar() {
  return (
    <header class="top-bar">
      <h1 class="brand">
        <Logo />
        <span class="brand-name">tabmind</span>
      </h1>
      {obstacle.value === null && <ModelButton />}
      <div class="top-bar-actions">
        {obstacle.value === null && (
          <IconButton icon="newChat" label={words.value.bar.newChat} onClick={newChat} class="new-chat" />
        )}
        <IconButton icon="settings" label={words.value.bar.settings} opens={SETTINGS_MENU_ID} />
      </div>
    </header>
  );
}
