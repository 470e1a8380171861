import { badTokenizer, isJsonObject, type JsonObject } from './json-object';
import type { TokenizerConfig } from './tokenizer-config';
import { checkedId, type Vocabulary } from './vocabulary';

const FILE = 'tokenizer.json';

/** A token that is matched in the text before anything else, such as `<|im_start|>`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens are markup: they are not part of the visible text. */
  readonly special: boolean;
  /** The entry as written, for the tokenizer library. */
  readonly raw: JsonObject;
}

export interface AddedTokens {
  readonly tokens: readonly AddedToken[];
  readonly warnings: readonly string[];
}

/**
 * Merges `added_tokens` of tokenizer.json with those that only tokenizer_config.json knows. A token whose id is
 * not below `numEmbeddings` is left out with a warning: its text then is ordinary text, which the model can read.
 * @throws TabmindError 'bad-tokenizer'
 */
export function readAddedTokens(
  root: JsonObject,
  config: TokenizerConfig,
  vocabulary: Vocabulary,
  numEmbeddings: number,
): AddedTokens {
  const list = root.added_tokens ?? [];
  if (!Array.isArray(list)) throw badTokenizer(FILE, 'added_tokens must be a list');
  const byContent = new Map<string, AddedToken>();
  for (const entry of list) {
    const token = readToken(entry);
    byContent.set(token.content, token);
  }
  for (const entry of config.addedTokens) {
    const token = readToken(entry);
    if (!byContent.has(token.content)) byContent.set(token.content, token);
  }
  return checkIds([...byContent.values()], vocabulary, numEmbeddings);
}

function readToken(entry: unknown): AddedToken {
  if (!isJsonObject(entry) || typeof entry.content !== 'string' || entry.content === '')
    throw badTokenizer(FILE, `added_tokens has an entry without text: ${JSON.stringify(entry)}`);
  const { content } = entry;
  return { id: checkedId(entry.id, content), content, special: entry.special === true, raw: entry };
}

function checkIds(all: readonly AddedToken[], vocabulary: Vocabulary, numEmbeddings: number): AddedTokens {
  const warnings: string[] = [];
  const contents = new Map<number, string>();
  const tokens: AddedToken[] = [];
  for (const token of all) {
    const { id, content } = token;
    if (id >= numEmbeddings) {
      warnings.push(
        `${FILE}: "${content}" (id ${id}) is beyond the model's ${numEmbeddings} embeddings and is read as plain text`,
      );
      continue;
    }
    const other = contents.get(id);
    if (other !== undefined)
      throw badTokenizer(FILE, `the tokens "${other}" and "${content}" share the id ${id}`);
    contents.set(id, content);
    const ownId = vocabulary.ids.get(content);
    if (ownId !== undefined && ownId !== id)
      throw badTokenizer(FILE, `the token "${content}" has the ids ${ownId} and ${id}`);
    const piece = vocabulary.pieces.get(id);
    if (piece !== undefined && piece !== content)
      warnings.push(`${FILE}: the added token "${content}" takes the id ${id} of "${piece}"`);
    tokens.push(token);
  }
  return { tokens, warnings };
}
