import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/chat.css';
import './styles/menus.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app';
import { loadChat } from './components/lazy-chat';
import { loadPicker } from './components/lazy-picker';
import { fetchWords, locale, words } from './i18n/locale';
import { watchInstallOffer } from './pwa/install-offer';
import { loadNotices } from './pwa/lazy-notices';
import { obstacle } from './state/capability';
import { keepOpen } from './state/conversation';
import { keepDrafts } from './state/drafts';
import { keepHub } from './state/hub';
import { keepModels, selectedModel } from './state/models';
import { startModel } from './state/offer';
import { keepSettings, textSize, theme } from './state/settings';
import { guardScripts } from './trusted-types';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app element to draw the page in.');

guardScripts();
watchInstallOffer();
keepSettings();
keepModels();
keepHub();
keepOpen();
keepDrafts();

effect(() => {
  document.documentElement.lang = locale.value === 'zh' ? 'zh-CN' : 'en';
  document.title = words.value.page.title;
});

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

effect(() => {
  document.documentElement.dataset.size = textSize.value;
});

/** Draws the page, then starts all that may come after its first paint. */
function start(place: HTMLElement): void {
  effect(() => void fetchWords());
  render(<App />, place);
  void loadNotices();
  if (obstacle.value !== null) return;
  void startModel(selectedModel.value);
  void loadChat();
  void loadPicker();
}

// nothing is drawn in the wrong language first
void fetchWords().then(() => start(root));
