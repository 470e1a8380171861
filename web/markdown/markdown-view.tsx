import './markdown.css';
import { render } from 'preact';
import { markdownWords } from '../i18n/markdown';
import { type Block, BlockStream } from './block-stream';
import { CodeBlock } from './code-block';
import { sanitizeAnswer } from './sanitizer';
import { completeSyntax, fenceLanguage } from './syntax';

/** A block on the page: one element, and how to let go of the components in it. */
interface Shown {
  readonly element: HTMLElement;
  readonly block: Block;
  readonly components: readonly Element[];
}

type Formulas = typeof import('./formula');

let formulas: Formulas | null = null;

/** Formulas come with a chunk of their own; until then, and without it, their TeX is shown. */
async function drawFormulas(root: ParentNode): Promise<void> {
  const places = [...root.querySelectorAll<HTMLElement>('[data-math]:not([data-math="open"])')];
  if (places.length === 0) return;
  if (formulas === null) {
    try {
      formulas = await import('./formula');
    } catch (thrown) {
      console.warn('tabmind could not fetch the renderer of formulas.', thrown);
      return;
    }
  }
  for (const place of places) drawFormula(formulas, place);
}

function drawFormula({ formula }: Formulas, place: HTMLElement): void {
  const tex = place.textContent ?? '';
  const isDisplay = place.dataset.math === 'block';
  const element = formula(tex, isDisplay);
  if (element === null) return;
  // a wide one scrolls, which must be possible by keyboard
  if (isDisplay) place.tabIndex = 0;
  place.title = tex;
  place.replaceChildren(element);
}

/** A table wider than the answer scrolls by itself. */
function makeScrollable(table: HTMLTableElement): void {
  const frame = document.createElement('div');
  frame.className = 'table-scroll';
  frame.tabIndex = 0;
  frame.role = 'region';
  frame.ariaLabel = markdownWords.value.table;
  table.replaceWith(frame);
  frame.append(table);
}

/** Puts code blocks in the place of `<pre>`s and returns their hosts. */
function showCode(root: ParentNode): readonly Element[] {
  return [...root.querySelectorAll('pre')].map((pre) => {
    const host = document.createElement('div');
    const language = pre.querySelector('code')?.dataset.lang ?? '';
    const text = (pre.textContent ?? '').replace(/\n$/, '');
    pre.replaceWith(host);
    render(<CodeBlock text={text} language={language} isClosed />, host);
    return host;
  });
}

function isCode({ token }: Block): boolean {
  return token.type === 'code';
}

function showCodeBlock(element: HTMLElement, { token, isClosed }: Block): void {
  if (token.type !== 'code') return;
  const language = fenceLanguage(token.lang);
  render(<CodeBlock text={token.text} language={language} isClosed={isClosed} />, element);
}

function show(block: Block): Shown {
  const element = document.createElement('div');
  element.className = 'block';
  if (isCode(block)) {
    showCodeBlock(element, block);
    return { element, block, components: [element] };
  }
  const fragment = sanitizeAnswer(completeSyntax.html(block.token));
  element.append(
    ...[...fragment.childNodes].filter((node) => node.textContent?.trim() !== '' || node instanceof Element),
  );
  for (const part of element.querySelectorAll('p, li, td, th, h1, h2, h3, h4, h5, h6'))
    part.setAttribute('dir', 'auto');
  for (const table of element.querySelectorAll('table')) makeScrollable(table);
  void drawFormulas(element);
  return { element, block, components: showCode(element) };
}

/** The formatted text of one answer, in an element of its own. Blocks that are as they were are not touched. */
export class MarkdownView {
  readonly #host: HTMLElement;
  readonly #stream = new BlockStream();
  #shown: Shown[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
    host.replaceChildren();
    host.classList.add('markdown');
  }

  update(source: string, isStreaming: boolean): void {
    const blocks = this.#stream.update(source, isStreaming);
    blocks.forEach((block, index) => {
      this.#put(index, block);
    });
    for (const surplus of this.#shown.splice(blocks.length)) remove(surplus);
  }

  dispose(): void {
    for (const shown of this.#shown.splice(0)) remove(shown);
  }

  #put(index: number, block: Block): void {
    const before = this.#shown[index];
    const isSame = before?.block.key === block.key && before.block.isClosed === block.isClosed;
    if (isSame) return;
    if (before !== undefined && isCode(before.block) && isCode(block)) {
      showCodeBlock(before.element, block);
      this.#shown[index] = { ...before, block };
      return;
    }
    const shown = show(block);
    if (before === undefined) {
      this.#host.append(shown.element);
    } else {
      before.element.replaceWith(shown.element);
      release(before);
    }
    this.#shown[index] = shown;
  }
}

function remove(shown: Shown): void {
  shown.element.remove();
  release(shown);
}

function release({ components }: Shown): void {
  for (const host of components) render(null, host);
}
