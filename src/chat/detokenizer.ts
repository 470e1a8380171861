import { bytesOfPiece } from './byte-alphabet';
import { stripHead, textOrByteOf } from './piece-decoder';
import type { Tokenizer } from './tokenizer';

export interface DetokenizerOptions {
  /** Leave markup such as `<|im_end|>` out of the text. Default true. */
  readonly skipSpecialTokens?: boolean;
  /** Special tokens that are text all the same. Default none. */
  readonly keptIds?: ReadonlySet<number>;
  /**
   * The ids go on in the middle of a text: keep the space that SentencePiece models put before the first word.
   * Default false.
   */
  readonly continuesText?: boolean;
}

/**
 * Token ids → text, as a stream. A character whose UTF-8 bytes are spread over several tokens is held back until
 * it is whole. All deltas together are what decoding all ids at once gives (without "clean-up" of spaces before
 * punctuation, which would damage code). Ids without a token (padding rows of the embedding) have no text.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #skipSpecialTokens: boolean;
  readonly #keptIds: ReadonlySet<number>;
  readonly #utf8: TextDecoder;
  #isFirst: boolean;
  /** How many characters may still be cut from the head of the text. */
  #numToStrip: number;

  constructor(tokenizer: Tokenizer, options: DetokenizerOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? true;
    this.#keptIds = options.keptIds ?? new Set();
    // "Ignore" means that U+FEFF is text like any other character.
    this.#utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    const continuesText = options.continuesText ?? false;
    this.#isFirst = !continuesText;
    this.#numToStrip = continuesText ? 0 : tokenizer.decoder.stripHead.count;
  }

  /** Text that has become complete with these ids; may be empty. */
  push(ids: Iterable<number>): string {
    let text = '';
    for (const id of ids) text += this.#decode(id);
    return this.#strip(text);
  }

  /** No more ids: bytes that never became a character come out as U+FFFD. */
  flush(): string {
    return this.#strip(this.#utf8.decode());
  }

  #decode(id: number): string {
    const piece = this.#tokenizer.pieceOf(id);
    if (piece === null) return '';
    const isMarkup = this.#tokenizer.specialIds.has(id) && !this.#keptIds.has(id);
    if (this.#skipSpecialTokens && isMarkup) return '';
    const { kind } = this.#tokenizer.decoder;
    if (kind === 'text') return this.#decodeText(piece);
    if (this.#tokenizer.addedIds.has(id)) return this.#utf8.decode() + piece;
    return this.#utf8.decode(bytesOfPiece(piece), { stream: true });
  }

  #decodeText(piece: string): string {
    const decoded = textOrByteOf(this.#tokenizer.decoder, piece, this.#isFirst);
    this.#isFirst = false;
    if (typeof decoded === 'string') return this.#utf8.decode() + decoded;
    return this.#utf8.decode(Uint8Array.of(decoded), { stream: true });
  }

  #strip(text: string): string {
    if (this.#numToStrip === 0 || text === '') return text;
    const rest = stripHead(text, this.#tokenizer.decoder.stripHead.content, this.#numToStrip);
    // Only the head is cut: once anything else has come, spaces stay.
    this.#numToStrip = rest === '' ? this.#numToStrip - text.length : 0;
    return rest;
  }
}
