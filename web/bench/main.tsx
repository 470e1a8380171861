import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/controls.css';
import './bench.css';
import { render } from 'preact';
import { guardScripts } from '../trusted-types';
import { BenchApp } from './bench-app';

const root = document.getElementById('app');
if (root === null) throw new Error('bench.html has no #app element to draw the page in.');
guardScripts();
render(<BenchApp />, root);
