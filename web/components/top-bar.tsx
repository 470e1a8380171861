import { words } from '../i18n/locale';
import { obstacle } from '../state/capability';
import { newChat, openHead } from '../state/conversation';
import { isDrawerOpen, openDialog } from '../state/dialog';
import { modelState } from '../state/engine';
import { MODEL_MENU_ID } from '../state/error-action';
import { modelName, selectedModel } from '../state/models';
import { isNarrow } from '../state/screen';
import { isSidebarOpen } from '../state/settings';
import { toggleSidebar } from '../state/sidebar';
import { Icon } from './icon';
import { IconButton } from './icon-button';
import { Logo } from './logo';

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

function SidebarButton() {
  const { bar } = words.value;
  const isOpen = isNarrow.value ? isDrawerOpen.value : isSidebarOpen.value;
  return (
    <IconButton
      icon="sidebar"
      label={isOpen ? bar.hideSidebar : bar.showSidebar}
      isExpanded={isOpen}
      onClick={toggleSidebar}
    />
  );
}

export function TopBar() {
  const canChat = obstacle.value === null;
  const title = openHead.value.title;
  return (
    <header class="top-bar">
      {canChat && <SidebarButton />}
      <h1 class="brand">
        <Logo />
        <span class="brand-name">tabmind</span>
      </h1>
      {canChat && <ModelButton />}
      {canChat && title !== '' && (
        <span class="chat-title" dir="auto" title={title}>
          {title}
        </span>
      )}
      <div class="top-bar-actions">
        {canChat && (
          <IconButton icon="newChat" label={words.value.bar.newChat} onClick={newChat} class="new-chat" />
        )}
        <IconButton
          icon="settings"
          label={words.value.bar.settings}
          hasPopup="dialog"
          onClick={() => {
            openDialog.value = 'settings';
          }}
        />
      </div>
    </header>
  );
}
