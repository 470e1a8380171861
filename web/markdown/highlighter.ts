import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import markdown from 'highlight.js/lib/languages/markdown';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { sanitizeColoured } from './sanitizer';

const LANGUAGES = {
  ...{ bash, cpp, css, diff, go, java, javascript, json },
  ...{ markdown, python, rust, sql, typescript, xml, yaml },
};

for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.registerAliases(['c++', 'hpp', 'cc', 'cuda', 'cu'], { languageName: 'cpp' });
hljs.registerAliases(['shell', 'console', 'shellsession'], { languageName: 'bash' });

/** Longer code stays plain: colouring it would hold up a frame. */
const MAX_CHARS = 20_000;

/** `text` with its words coloured by class; null where the language is not known or the text too long. */
export function highlight(text: string, language: string): DocumentFragment | null {
  if (text.length > MAX_CHARS || hljs.getLanguage(language) === undefined) return null;
  return sanitizeColoured(hljs.highlight(text, { language, ignoreIllegals: true }).value);
}
