import type { Links, Token } from 'marked';
import { completeSyntax, type Syntax, streamingSyntax } from './syntax';

/** One top-level piece of a text: a paragraph, a list, a fence. */
export interface Block {
  readonly token: Token;
  /** Reference definitions that it may use. */
  readonly links: string;
  /** Equal keys are drawn the same. */
  readonly key: string;
  /** False only for code whose closing fence has not arrived. */
  readonly isClosed: boolean;
}

/** The last two blocks may still change: "- a", a blank line, then "-" is a paragraph until "- b" makes it one list. */
const NUM_LIVE = 2;
const CLOSED_FENCE = /\n {0,3}(?:`{3,}|~{3,})[ \t]*\n*$/;

/** The blocks of a growing text. Blocks that cannot change any more are not read again. */
export class BlockStream {
  #source = '';
  #settled: Block[] = [];
  #settledChars = 0;
  #links: Links = noLinks();

  /**
   * All blocks of `source`. A text that goes on from the last one is read from the last settled block on; at its end
   * (`isStreaming` false) all of it is read again, so that the result does not depend on how it arrived.
   */
  update(text: string, isStreaming: boolean): readonly Block[] {
    const source = text.replaceAll(/\r\n?/g, '\n');
    if (!isStreaming || !source.startsWith(this.#source)) this.#forget();
    this.#source = source;
    const syntax = isStreaming ? streamingSyntax : completeSyntax;
    const numLinks = Object.keys(this.#links).length;
    const tail = source.slice(this.#settledChars);
    const tokens = syntax.lex(tail, this.#links);
    // a reference that is defined after its use changes blocks that were settled
    if (this.#settledChars > 0 && Object.keys(this.#links).length > numLinks)
      return this.#again(source, syntax);
    const live = tokens.map((token) => this.#block(token, isStreaming));
    const shown = [...this.#settled, ...live].filter(({ token }) => isShown(token));
    if (isStreaming) this.#settle(tail, live);
    return shown;
  }

  #again(source: string, syntax: Syntax): readonly Block[] {
    const links = this.#links;
    this.#forget();
    this.#source = source;
    this.#links = links;
    const blocks = syntax.lex(source, links).map((token) => this.#block(token, true));
    this.#settle(source, blocks);
    return blocks.filter(({ token }) => isShown(token));
  }

  #block(token: Token, isStreaming: boolean): Block {
    const links = token.raw.includes('[') ? Object.keys(this.#links).join('\n') : '';
    const isOpenFence = token.type === 'code' && isFence(token) && !CLOSED_FENCE.test(token.raw);
    return { token, links, key: `${links}\0${token.raw}`, isClosed: !isStreaming || !isOpenFence };
  }

  #settle(tail: string, live: readonly Block[]): void {
    const shown = live.filter(({ token }) => isShown(token));
    const firstLive = shown.at(-NUM_LIVE);
    if (shown.length <= NUM_LIVE || firstLive === undefined) return;
    const done = live.slice(0, live.indexOf(firstLive));
    const raw = done.map(({ token }) => token.raw).join('');
    // where marked has rewritten the source, its tokens do not tell where the next one starts
    if (!tail.startsWith(raw)) return;
    this.#settled.push(...done);
    this.#settledChars += raw.length;
  }

  #forget(): void {
    this.#source = '';
    this.#settled = [];
    this.#settledChars = 0;
    this.#links = noLinks();
  }
}

/** Without a prototype, as labels are words of the text. */
const noLinks = (): Links => Object.create(null);

const isShown = ({ type }: Token): boolean => type !== 'space' && type !== 'def';

const isFence = (token: Token): boolean => /^ {0,3}(?:`{3}|~{3})/.test(token.raw);
