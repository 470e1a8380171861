import { type AddedToken, readAddedTokens } from './added-tokens';
import { badTokenizer, isJsonObject, type JsonObject } from './json-object';
import { type PieceDecoder, readPieceDecoder } from './piece-decoder';
import type { TokenizerConfig } from './tokenizer-config';
import { readPipeline } from './tokenizer-pipeline';
import { readVocabulary, type Vocabulary } from './vocabulary';

const FILE = 'tokenizer.json';

/** A tokenizer.json that was checked from end to end. */
export interface TokenizerFile {
  /** The file in the form that the tokenizer library takes. */
  readonly definition: JsonObject;
  readonly addedTokens: readonly AddedToken[];
  /** Largest id + 1. */
  readonly vocabSize: number;
  readonly decoder: PieceDecoder;
  readonly warnings: readonly string[];
}

/**
 * Checks everything that would otherwise fail, or give wrong ids without failing, when text is encoded.
 * @param numEmbeddings rows of the model's embedding table; ids must lie below.
 * @throws TabmindError 'bad-tokenizer' naming the part and the reason
 */
export function checkTokenizerFile(
  root: JsonObject,
  config: TokenizerConfig,
  numEmbeddings: number,
): TokenizerFile {
  const vocabulary = readVocabulary(root);
  const { tokens, warnings } = readAddedTokens(root, config, vocabulary, numEmbeddings);
  const contents = new Set(tokens.map((token) => token.content));
  const hasToken = (content: string): boolean => contents.has(content) || vocabulary.ids.has(content);
  return {
    definition: {
      ...root,
      model: makeModel(root, vocabulary, numEmbeddings),
      added_tokens: tokens.map((token) => token.raw),
      decoder: root.decoder ?? null,
      ...readPipeline(root, hasToken),
    },
    addedTokens: tokens,
    vocabSize: 1 + largestId(vocabulary, tokens),
    decoder: readPieceDecoder(root),
    warnings: [...vocabulary.warnings, ...warnings],
  };
}

function largestId(vocabulary: Vocabulary, tokens: readonly AddedToken[]): number {
  let largest = 0;
  for (const id of vocabulary.pieces.keys()) if (id > largest) largest = id;
  for (const { id } of tokens) if (id > largest) largest = id;
  return largest;
}

/**
 * The model section with its type written out. Pieces beyond the embeddings cannot be left out as an added token
 * can: merges lead to them.
 */
function makeModel(root: JsonObject, vocabulary: Vocabulary, numEmbeddings: number): JsonObject {
  for (const [piece, id] of vocabulary.ids) {
    if (id >= numEmbeddings)
      throw badTokenizer(
        FILE,
        `the token "${piece}" has the id ${id}, but the model has ${numEmbeddings} embeddings`,
      );
  }
  return { ...(isJsonObject(root.model) ? root.model : {}), type: vocabulary.type };
}
