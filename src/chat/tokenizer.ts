import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { badTokenizer, parseJsonObject } from './json-object';
import type { PieceDecoder } from './piece-decoder';
import { CONFIG_FILE, parseTokenizerConfig, type TokenizerConfig } from './tokenizer-config';
import { checkTokenizerFile, type TokenizerFile } from './tokenizer-file';

const FILE = 'tokenizer.json';

/** Texts of the two files of a Hugging Face repository. */
export interface TokenizerTexts {
  /** tokenizer.json */
  readonly tokenizer: string;
  /** tokenizer_config.json, or null when the repository has none. */
  readonly config: string | null;
}

export interface EncodeOptions {
  /** Add what the file's post-processor adds, usually a begin-of-text token. Default true. */
  readonly addSpecialTokens?: boolean;
}

/** Text → token ids, exactly as the model was trained. Ids → text is the `Detokenizer`'s work. */
export class Tokenizer {
  readonly config: TokenizerConfig;
  /** Largest id + 1. The embedding table may have more rows. */
  readonly vocabSize: number;
  /** `bos_token` and `eos_token` of tokenizer_config.json; null when unset. */
  readonly bosId: number | null;
  readonly eosId: number | null;
  /** Ids of markup that is not part of the visible text. */
  readonly specialIds: ReadonlySet<number>;
  /** Ids of all added tokens, special or not (Qwen3's `<think>` is not). */
  readonly addedIds: ReadonlySet<number>;
  readonly decoder: PieceDecoder;
  /** What is odd in the files but does no harm. */
  readonly warnings: readonly string[];
  readonly #library: LibraryTokenizer;

  private constructor(library: LibraryTokenizer, file: TokenizerFile, config: TokenizerConfig) {
    this.config = config;
    this.decoder = file.decoder;
    this.#library = library;
    this.vocabSize = file.vocabSize;
    const special = config.additionalSpecialTokens
      .map((token) => this.idOf(token))
      .filter((id) => id !== null);
    this.specialIds = new Set([
      ...special,
      ...file.addedTokens.filter((token) => token.special).map(({ id }) => id),
    ]);
    this.addedIds = new Set(file.addedTokens.map((token) => token.id));
    this.bosId = this.#namedId('bos_token');
    this.eosId = this.#namedId('eos_token');
    this.warnings = [...file.warnings, ...this.#missingNamedTokens()];
  }

  /**
   * @param numEmbeddings rows of the model's embedding table; leave it out when there is no model.
   * @throws TabmindError 'bad-tokenizer' naming the file and the reason
   */
  static parse(texts: TokenizerTexts, numEmbeddings: number = Number.POSITIVE_INFINITY): Tokenizer {
    const root = parseJsonObject(texts.tokenizer, FILE);
    const config = parseTokenizerConfig(texts.config);
    const file = checkTokenizerFile(root, config, numEmbeddings);
    let library: LibraryTokenizer;
    try {
      library = new LibraryTokenizer(file.definition, config.raw);
    } catch (cause) {
      throw badTokenizer(FILE, cause instanceof Error ? cause.message : String(cause), cause);
    }
    return new Tokenizer(library, file, config);
  }

  /** @throws TabmindError 'bad-tokenizer' when the text has a character for which there is no id. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const { ids, tokens } = this.#library.encode(text, {
      add_special_tokens: options.addSpecialTokens ?? true,
    });
    for (const [index, id] of ids.entries()) {
      if (typeof id !== 'number') throw badTokenizer(FILE, `has no id for "${tokens[index] ?? ''}"`);
    }
    return ids;
  }

  /** Id of the token that is written exactly so (in the file's own spelling), or null. */
  idOf(token: string): number | null {
    return this.#library.token_to_id(token) ?? null;
  }

  /** The file's own spelling of a token (`Ġthe`, `▁the`, `<0x0A>`), or null for an id that has none. */
  pieceOf(id: number): string | null {
    return this.#library.id_to_token(id) ?? null;
  }

  #namedId(key: string): number | null {
    const token = this.config.namedTokens.get(key);
    return token === undefined ? null : this.idOf(token);
  }

  #missingNamedTokens(): string[] {
    return ['bos_token', 'eos_token'].flatMap((key) => {
      const token = this.config.namedTokens.get(key);
      if (token === undefined || this.idOf(token) !== null) return [];
      return [`${CONFIG_FILE}: ${key} is "${token}", which is not in the vocabulary`];
    });
  }
}
