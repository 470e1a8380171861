import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/chat.css';
import './styles/menus.css';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app';
import { locale, words } from './i18n/locale';
import { obstacle } from './state/capability';
import { isAnswering, stop } from './state/conversation';
import { loadModel } from './state/engine';
import { keepModels } from './state/models';
import { keepSettings, theme } from './state/settings';

const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app element to draw the page in.');

keepSettings();
keepModels();

effect(() => {
  document.documentElement.lang = locale.value === 'zh' ? 'zh-CN' : 'en';
  document.title = words.value.page.title;
});

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

addEventListener('keydown', (event) => {
  const menuIsOpen = document.querySelector(':popover-open') !== null;
  if (event.key === 'Escape' && !event.isComposing && !menuIsOpen && isAnswering.value) stop();
});

render(<App />, root);

if (obstacle.value === null) void loadModel();
