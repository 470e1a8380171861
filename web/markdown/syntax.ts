import { Lexer, type Links, Marked, Parser, type Token } from 'marked';
import { cjkEmphasis } from './cjk-emphasis';
import { escapeHtml } from './html-text';
import { mathExtensions } from './math-syntax';

/** GitHub's markdown with formulas, read for a text that is complete or still grows. */
export interface Syntax {
  /** Top-level tokens of `source`; `links` are the reference definitions known so far, and gain those of `source`. */
  lex(source: string, links: Links): readonly Token[];
  /** HTML of one token. It holds whatever HTML the source holds: not safe before the sanitiser. */
  html(token: Token): string;
}

/** The first word after a fence. */
export function fenceLanguage(info: string | undefined): string {
  return /^\S*/.exec(info?.trim() ?? '')?.[0] ?? '';
}

function createSyntax(isStreaming: boolean): Syntax {
  const marked = new Marked({
    gfm: true,
    // models break lines where they mean it
    breaks: true,
    extensions: [...mathExtensions(isStreaming), cjkEmphasis],
    renderer: {
      code: ({ text, lang }) =>
        `<pre><code data-lang="${escapeHtml(fenceLanguage(lang))}">${escapeHtml(text)}</code></pre>`,
      // the page's own title is the one of the first level
      heading({ tokens, depth }) {
        const level = Math.min(6, depth + 1);
        return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
      },
      checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    },
  });
  return {
    lex: (source, links) => {
      const lexer = new Lexer(marked.defaults);
      Object.assign(lexer.tokens.links, links);
      const tokens = lexer.lex(source);
      Object.assign(links, tokens.links);
      return tokens;
    },
    html: (token) => Parser.parse([token], marked.defaults),
  };
}

export const completeSyntax: Syntax = createSyntax(false);
export const streamingSyntax: Syntax = createSyntax(true);
