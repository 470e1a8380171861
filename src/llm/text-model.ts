import { ChatTemplate } from '../chat/chat-template';
import { Tokenizer } from '../chat/tokenizer';
import type { ChatMessage } from '../protocol';

/** What turns conversations into prompt ids for one checkpoint. */
export class TextModel {
  readonly tokenizer: Tokenizer;
  readonly #template: ChatTemplate;

  /** Throws `bad-tokenizer` or `bad-template` naming file and reason. */
  constructor(texts: TextFiles, vocabSize: number) {
    const { tokenizer, tokenizerConfig, chatTemplate } = texts;
    this.tokenizer = Tokenizer.parse({ tokenizer, config: tokenizerConfig }, vocabSize);
    this.#template = ChatTemplate.create(this.tokenizer, chatTemplate);
  }

  /** A base model's answer goes on in the middle of the prompt's text. */
  get continuesText(): boolean {
    return this.#template.kind === 'plain';
  }

  /** Ids of the rendered conversation, ending where the answer begins, or where the last message goes on. */
  encodeChat(messages: readonly ChatMessage[], continuesLast = false): readonly number[] {
    const prompt = continuesLast ? this.#template.renderContinued(messages) : this.#template.render(messages);
    return this.tokenizer.encode(prompt, { addSpecialTokens: this.#template.addSpecialTokens });
  }

  /** Ids of a word as it stands at the start of a text, and behind a space; one of them where these are the same. */
  encodeWord(word: string): readonly (readonly number[])[] {
    const forms = [word, ...(word === '' ? [] : [` ${word.trimStart()}`])];
    const encoded = forms.map((text) => this.tokenizer.encode(text, { addSpecialTokens: false }));
    return encoded.filter((ids, i) => encoded.findIndex((other) => other.join() === ids.join()) === i);
  }
}

export interface TextFiles {
  readonly tokenizer: string;
  readonly tokenizerConfig: string | null;
  readonly chatTemplate: string | null;
}
