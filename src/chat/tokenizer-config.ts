import { badTokenizer, isJsonObject, type JsonObject, parseJsonObject } from './json-object';

export const CONFIG_FILE = 'tokenizer_config.json';

export interface NamedTemplate {
  readonly name: string;
  readonly template: string;
}

/** What tabmind reads of a Hugging Face tokenizer_config.json. */
export interface TokenizerConfig {
  /** `bos_token`, `eos_token`, `unk_token`, … : key → token text; unset ones are absent. */
  readonly namedTokens: ReadonlyMap<string, string>;
  /** Tokens that count as special besides those that tokenizer.json marks so. */
  readonly additionalSpecialTokens: readonly string[];
  /** `added_tokens_decoder`: entries in the shape of tokenizer.json's `added_tokens`. */
  readonly addedTokens: readonly JsonObject[];
  /** `chat_template`; empty when the file has none. A single template is named 'default'. */
  readonly chatTemplates: readonly NamedTemplate[];
  /** The whole file, for the tokenizer library. */
  readonly raw: JsonObject;
}

/**
 * Reads tokenizer_config.json; `null` (the repository has no such file) gives an empty one.
 * @throws TabmindError 'bad-tokenizer'
 */
export function parseTokenizerConfig(text: string | null): TokenizerConfig {
  const raw = text === null ? {} : parseJsonObject(text, CONFIG_FILE);
  return {
    namedTokens: readNamedTokens(raw),
    additionalSpecialTokens: readAdditionalSpecialTokens(raw),
    addedTokens: readAddedTokens(raw),
    chatTemplates: readChatTemplates(raw),
    raw,
  };
}

/** A token is written as its text or as an object that holds it. */
function tokenText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (isJsonObject(value) && typeof value.content === 'string') return value.content;
  return null;
}

function readNamedTokens(raw: JsonObject): Map<string, string> {
  const tokens = new Map<string, string>();
  for (const [key, value] of Object.entries(raw)) {
    const text = key.endsWith('_token') ? tokenText(value) : null;
    if (text !== null) tokens.set(key, text);
  }
  return tokens;
}

function readAdditionalSpecialTokens(raw: JsonObject): string[] {
  const list = raw.additional_special_tokens ?? [];
  if (!Array.isArray(list)) throw badTokenizer(CONFIG_FILE, 'additional_special_tokens must be a list');
  return list.map((entry) => {
    const text = tokenText(entry);
    if (text === null) throw badTokenizer(CONFIG_FILE, 'additional_special_tokens has an entry without text');
    return text;
  });
}

function readAddedTokens(raw: JsonObject): JsonObject[] {
  const table = raw.added_tokens_decoder ?? {};
  if (!isJsonObject(table)) throw badTokenizer(CONFIG_FILE, 'added_tokens_decoder must be an object');
  return Object.entries(table).map(([id, entry]) => {
    if (!isJsonObject(entry))
      throw badTokenizer(CONFIG_FILE, `added_tokens_decoder["${id}"] must be an object`);
    return { ...entry, id: Number(id) };
  });
}

function readChatTemplates(raw: JsonObject): NamedTemplate[] {
  const value = raw.chat_template ?? [];
  if (typeof value === 'string') return [{ name: 'default', template: value }];
  if (!Array.isArray(value))
    throw badTokenizer(CONFIG_FILE, 'chat_template must be a text or a list of named texts');
  return value.map((entry: unknown, index) => {
    if (!isJsonObject(entry) || typeof entry.name !== 'string' || typeof entry.template !== 'string')
      throw badTokenizer(CONFIG_FILE, `chat_template[${index}] must have a name and a template`);
    return { name: entry.name, template: entry.template };
  });
}
