import DOMPurify, { type Config } from 'dompurify';
import { markdownWords } from '../i18n/markdown';
import { webAddress } from './address';

const HARMLESS = [
  ...['alt', 'title', 'align', 'start', 'open', 'colspan', 'rowspan', 'lang', 'dir'],
  ...['data-lang', 'data-math'],
];

/** No attribute of a text may name or dress anything of the page: no id, name, class or style. */
const ANSWER: Config = {
  ALLOWED_TAGS: [
    ...[
      'h1',
      'h2',
      'h3',
      'h4',
      'h5',
      'h6',
      'p',
      'br',
      'hr',
      'div',
      'span',
      'blockquote',
      'details',
      'summary',
    ],
    ...['ul', 'ol', 'li', 'dl', 'dt', 'dd', 'pre', 'code', 'kbd', 'samp', 'var', 'a', 'img'],
    ...['b', 'strong', 'i', 'em', 's', 'del', 'ins', 'u', 'mark', 'small', 'sub', 'sup', 'q', 'cite', 'abbr'],
    ...['table', 'caption', 'thead', 'tbody', 'tfoot', 'tr', 'th', 'td', 'ruby', 'rt', 'rp', 'wbr', '#text'],
  ],
  ALLOWED_ATTR: ['href', 'src', ...HARMLESS],
  // DOMPurify holds every other attribute's value to the pattern of addresses
  ADD_URI_SAFE_ATTR: HARMLESS,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  RETURN_DOM_FRAGMENT: true,
};

const COLOURED: Config = {
  ALLOWED_TAGS: ['span', '#text'],
  ALLOWED_ATTR: ['class'],
  RETURN_DOM_FRAGMENT: true,
};

/**
 * DOMPurify reads in a document that is not shown, where nothing loads or runs; what it returns still lies there. A
 * <frameset> makes a document without a body, for which it returns nothing: such a text is shown as it was written.
 */
function purify(html: string, config: Config): DocumentFragment {
  const clean: unknown = DOMPurify.sanitize(html, config);
  if (clean instanceof DocumentFragment) return clean;
  const written = document.createDocumentFragment();
  written.append(html);
  return written;
}

/** What of `html` is harmless. Links open in a new tab and only on the web; images have become links. */
export function sanitizeAnswer(html: string): DocumentFragment {
  const fragment = purify(html, ANSWER);
  for (const image of fragment.querySelectorAll('img')) image.replaceWith(imageLink(image));
  for (const link of fragment.querySelectorAll('a')) makeSafe(link);
  return fragment;
}

/** An image is never fetched: it becomes a link that names its host, or its name where it has none. */
function imageLink(image: HTMLImageElement): Node | string {
  const name = image.getAttribute('alt') ?? '';
  const address = webAddress(image.getAttribute('src') ?? '');
  if (address === null || address.host === '') return name;
  const label = markdownWords.value.image(name, address.host);
  if (image.closest('a') !== null) return label;
  const link = image.ownerDocument.createElement('a');
  link.href = address.href;
  link.textContent = label;
  return link;
}

function makeSafe(link: HTMLAnchorElement): void {
  const address = webAddress(link.getAttribute('href') ?? '');
  if (address === null) {
    link.removeAttribute('href');
    return;
  }
  link.href = address.href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
}

/** Coloured code: spans with classes and text, nothing else. */
export function sanitizeColoured(html: string): DocumentFragment {
  return purify(html, COLOURED);
}
