import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/controls.css';
import './bench.css';
import { render } from 'preact';
import { benchWords } from '../i18n/bench';
import { fetchWords } from '../i18n/locale';
import { followSettings } from '../page-settings';
import { guardScripts } from '../trusted-types';
import { BenchApp } from './bench-app';

const root = document.getElementById('app');
if (root === null) throw new Error('bench.html has no #app element to draw the page in.');
guardScripts();
followSettings(() => benchWords.value.page.title);
// the words for errors are those of the chat
void fetchWords().then(() => render(<BenchApp />, root));
