import './markdown.css';
import type { Token } from 'marked';
import { render } from 'preact';
import { markdownWords } from '../i18n/markdown';
import { growth } from './block-growth';
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

/** Harmless elements of a token, with code blocks, formulas and tables in their places. */
function draw(token: Token): { readonly nodes: DocumentFragment; readonly components: readonly Element[] } {
  const nodes = sanitizeAnswer(completeSyntax.html(token));
  for (const node of [...nodes.childNodes])
    if (!(node instanceof Element) && node.textContent?.trim() === '') node.remove();
  for (const part of nodes.querySelectorAll('p, li, td, th, h1, h2, h3, h4, h5, h6'))
    part.setAttribute('dir', 'auto');
  for (const table of nodes.querySelectorAll('table')) makeScrollable(table);
  void drawFormulas(nodes);
  return { nodes, components: showCode(nodes) };
}

function show(block: Block): Shown {
  const element = document.createElement('div');
  element.className = 'block';
  if (isCode(block)) {
    showCodeBlock(element, block);
    return { element, block, components: [element] };
  }
  const { nodes, components } = draw(block.token);
  element.append(nodes);
  return { element, block, components };
}

/** A list or table keeps the parts that it had; null where it has to be drawn anew. */
function grow(before: Shown, block: Block): Shown | null {
  const isSameContext = before.block.links === block.links;
  const growing = isSameContext ? growth(before.block.token, block.token) : null;
  const container = growing && before.element.querySelector(growing.container);
  if (!growing || !container) return null;
  const { nodes, components } = draw(growing.rest);
  const parts = nodes.querySelector(growing.container)?.children ?? [];
  for (const old of [...container.children].slice(growing.from)) old.remove();
  container.append(...parts);
  const isThere = (host: Element): boolean => before.element.contains(host);
  for (const host of before.components) if (!isThere(host)) render(null, host);
  return { ...before, block, components: [...before.components.filter(isThere), ...components] };
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
    const grown = before === undefined ? null : grow(before, block);
    if (grown !== null) {
      this.#shown[index] = grown;
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
