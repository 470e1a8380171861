import type { TokenizerAndRendererExtension, Tokens } from 'marked';
import { escapeHtml } from './html-text';

/** TeX in a text. `isOpen`: its end has not arrived yet. */
export interface MathToken extends Tokens.Generic {
  readonly tex: string;
  readonly isDisplay: boolean;
  readonly isOpen: boolean;
}

interface Found {
  readonly raw: string;
  readonly tex: string;
  readonly isDisplay: boolean;
}

const BLOCKS: readonly RegExp[] = [
  /^ {0,3}\$\$([\s\S]+?)\$\$[ \t]*(?:\n+|$)/,
  /^ {0,3}\\\[([\s\S]+?)\\\][ \t]*(?:\n+|$)/,
];
const OPEN_BLOCK = /^ {0,3}(?:\$\$|\\\[)[ \t]*(\n[\s\S]*)?$/;
const BLOCK_START = /(^|\n) {0,3}(?:\$\$|\\\[)/;

const DISPLAY: readonly RegExp[] = [/^\$\$([^$\n]+(?:\n[^$\n]+)*)\$\$/, /^\\\[((?:(?!\n\n)[\s\S])+?)\\\]/];
const PARENTHESES = /^\\\(((?:(?!\n\n)[\s\S])+?)\\\)/;
/** As in Pandoc: no space inside the dollars, no digit after them. */
const DOLLARS = /^\$(?![\s$])((?:\\[^\n]|[^\\$\n])+?)(?<!\s)\$(?![\d$])/;
const INLINE_START = /(?<![\p{L}\p{N}\\$])\$|\\[([]/u;
/** "5 or 10", "20/month and 30": sums of money, not formulas. */
const MONEY = /^\d[\d.,]*\s*(?:[kKmMbB]\b|\/\p{L}|[\s–—-]+\p{L}{2,})/u;

/** A formula that stands at the start of `source` on lines of its own. */
function blockMath(source: string): Found | null {
  for (const pattern of BLOCKS) {
    const match = pattern.exec(source);
    const tex = match?.[1]?.trim();
    if (match && tex) return { raw: match[0], tex, isDisplay: true };
  }
  return null;
}

/** A formula at the start of `source`, in the middle of a text. */
export function inlineMath(source: string): Found | null {
  for (const pattern of DISPLAY) {
    const match = pattern.exec(source);
    const tex = match?.[1]?.trim();
    if (match && tex) return { raw: match[0], tex, isDisplay: true };
  }
  const match = PARENTHESES.exec(source) ?? DOLLARS.exec(source);
  const tex = match?.[1]?.trim();
  if (!match || !tex || (match[0].startsWith('$') && MONEY.test(tex))) return null;
  return { raw: match[0], tex, isDisplay: false };
}

/** TeX waits in `data-math` for the renderer of formulas; an open one stays as it is. */
function mathHtml(token: Tokens.Generic): string {
  const { tex, isDisplay, isOpen } = token as MathToken;
  const kind = isOpen ? 'open' : isDisplay ? 'block' : 'inline';
  return `<span data-math="${kind}">${escapeHtml(tex)}</span>`;
}

/**
 * `$…$`, `\(…\)`, `$$…$$` and `\[…\]` for marked. While a text streams, a formula on lines of its own is one from its first
 * line on, so that its TeX is not taken for emphasis until the end arrives.
 */
export function mathExtensions(isStreaming: boolean): TokenizerAndRendererExtension[] {
  return [
    {
      name: 'blockMath',
      level: 'block',
      start: (source) => {
        const match = BLOCK_START.exec(source);
        return match === null ? undefined : match.index + (match[1]?.length ?? 0);
      },
      tokenizer: (source) => {
        const found = blockMath(source);
        if (found) return { type: 'blockMath', ...found, isOpen: false };
        const open = isStreaming ? OPEN_BLOCK.exec(source) : null;
        if (!open) return undefined;
        return { type: 'blockMath', raw: source, tex: open[1]?.trim() ?? '', isDisplay: true, isOpen: true };
      },
      renderer: (token) => `<p>${mathHtml(token)}</p>`,
    },
    {
      name: 'inlineMath',
      level: 'inline',
      start: (source) => INLINE_START.exec(source)?.index,
      tokenizer: (source) => {
        const found = inlineMath(source);
        return found ? { type: 'inlineMath', ...found, isOpen: false } : undefined;
      },
      renderer: mathHtml,
    },
  ];
}
