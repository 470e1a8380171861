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
import { fetchWords, words } from './i18n/locale';
import { followSettings } from './page-settings';
import { watchInstallOffer } from './pwa/install-offer';
import { loadNotices } from './pwa/lazy-notices';
import { obstacle } from './state/capability';
import { keepOpen } from './state/conversation';
import { keepDrafts } from './state/drafts';
import { keepHub } from './state/hub';
import { selectedModel } from './state/models';
import { startModel } from './state/offer';
import { keepSettings } from './state/settings';
import { guardScripts } from './trusted-types';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app element to draw the page in.');

guardScripts();
watchInstallOffer();
keepSettings();
keepHub();
keepOpen();
keepDrafts();

followSettings(() => words.value.page.title);

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
