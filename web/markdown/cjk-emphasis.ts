import type { TokenizerAndRendererExtension } from 'marked';

/** Bold text on one line; code in it may hold asterisks. */
const BOLD = /^\*\*(?![\s*])((?:`[^`\n]*`|(?!\*\*)[^`\n])+)(?<!\s)\*\*(?!\*)/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
/** Letters that no spaces part, and the marks that stand between them. */
const CJK =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303F\uFF00-\uFFEF“”‘’—…·]/u;

/** The bold text at the start of `source` that CommonMark would leave as it stands; null where it needs no help. */
function boldBesidePunctuation(source: string): RegExpExecArray | null {
  const match = BOLD.exec(source);
  const inner = match?.[1];
  if (match === null || inner === undefined) return null;
  const letters = [...inner];
  const [first = '', last = ''] = [letters[0], letters.at(-1)];
  const next = [...source.slice(match[0].length, match[0].length + 2)][0] ?? '';
  const isBeside = PUNCTUATION.test(first) || PUNCTUATION.test(last);
  return isBeside && CJK.test(first + last + next) ? match : null;
}

/**
 * `**重点：**正文` is bold. CommonMark takes asterisks between a mark and a letter for neither beginning nor end, which is
 * right where words are parted by spaces, and wrong in Chinese and Japanese, where models write so all the time.
 */
export const cjkEmphasis: TokenizerAndRendererExtension = {
  name: 'cjkEmphasis',
  level: 'inline',
  start: (source) => source.match(/\*\*/)?.index,
  tokenizer(source) {
    const match = boldBesidePunctuation(source);
    if (match === null) return undefined;
    const [raw, text = ''] = match;
    return { type: 'strong', raw, text, tokens: this.lexer.inlineTokens(text) };
  },
};
