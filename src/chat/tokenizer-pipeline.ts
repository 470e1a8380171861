import { ReplaceNormalizer } from '@huggingface/tokenizers';
import { badTokenizer, isJsonObject, type JsonObject } from './json-object';

const FILE = 'tokenizer.json';

/** One stage of the tokenizer: the key in tokenizer.json, the key of a Sequence's members, and the known types. */
interface Stage {
  readonly key: 'normalizer' | 'pre_tokenizer' | 'post_processor';
  readonly members: string;
  readonly types: ReadonlySet<string>;
}

const NORMALIZER: Stage = {
  key: 'normalizer',
  members: 'normalizers',
  types: new Set(
    'BertNormalizer Precompiled Replace NFC NFD NFKC NFKD Strip StripAccents Lowercase Prepend'.split(' '),
  ),
};

const PRE_TOKENIZER: Stage = {
  key: 'pre_tokenizer',
  members: 'pretokenizers',
  types: new Set(
    'BertPreTokenizer Whitespace WhitespaceSplit Metaspace ByteLevel Split Punctuation Digits Replace FixedLength'.split(
      ' ',
    ),
  ),
};

const POST_PROCESSOR: Stage = {
  key: 'post_processor',
  members: 'processors',
  types: new Set('TemplateProcessing ByteLevel BertProcessing RobertaProcessing'.split(' ')),
};

/** The stages around the vocabulary, checked, in the library's spelling. */
export interface TokenizerPipeline {
  readonly normalizer: JsonObject | null;
  readonly pre_tokenizer: JsonObject | null;
  readonly post_processor: JsonObject | null;
}

/**
 * Checks normalizer, pre-tokenizer and post-processor: known types, patterns that compile, tokens that exist.
 * @throws TabmindError 'bad-tokenizer' naming the part, e.g. `pre_tokenizer.pretokenizers[0]`.
 */
export function readPipeline(root: JsonObject, hasToken: (content: string) => boolean): TokenizerPipeline {
  return {
    normalizer: readStage(root, NORMALIZER, checkPattern),
    pre_tokenizer: readStage(root, PRE_TOKENIZER, (part, path) => checkPattern(corrected(part), path)),
    post_processor: readStage(root, POST_PROCESSOR, (part, path) =>
      checkTemplateTokens(part, path, hasToken),
    ),
  };
}

type CheckPart = (part: JsonObject, path: string) => JsonObject;

function readStage(root: JsonObject, stage: Stage, check: CheckPart): JsonObject | null {
  const part = root[stage.key] ?? null;
  return part === null ? null : readPart(part, stage.key, stage, check);
}

function readPart(part: unknown, path: string, stage: Stage, check: CheckPart): JsonObject {
  if (!isJsonObject(part)) throw badTokenizer(FILE, `${path} must be an object`);
  const { type } = part;
  if (type === 'Sequence') {
    const members = part[stage.members];
    if (!Array.isArray(members)) throw badTokenizer(FILE, `${path}.${stage.members} must be a list`);
    const read = members.map((member, index) =>
      readPart(member, `${path}.${stage.members}[${index}]`, stage, check),
    );
    return { ...part, [stage.members]: read };
  }
  if (typeof type !== 'string' || !stage.types.has(type))
    throw badTokenizer(FILE, `${path} has the type "${String(type)}", which is not supported`);
  return check(part, path);
}

/** How GPT-2 cuts text into words: what ByteLevel does first, unless `use_regex` is off. */
const BYTE_LEVEL_WORDS = "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Rewrites pre-tokenizers that the library splits differently from the reference implementation. */
function corrected(part: JsonObject): JsonObject {
  // "Digits" means every Unicode number (½, ², Ⅷ); the library's takes \d only.
  if (part.type === 'Digits') {
    const Regex = part.individual_digits === true ? '\\p{N}' : '\\p{N}+';
    return { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
  }
  // The library's own regex follows JavaScript in what a space is; a Split's is read as Oniguruma reads it.
  if (part.type === 'ByteLevel' && part.use_regex !== false && part.add_prefix_space !== true) {
    const words = {
      type: 'Split',
      pattern: { Regex: BYTE_LEVEL_WORDS },
      behavior: 'Isolated',
      invert: false,
    };
    return { type: 'Sequence', pretokenizers: [words, { ...part, use_regex: false }] };
  }
  // Isolating the matches or what lies between them cuts at the same places; the library's inverted form drops text.
  if (part.type === 'Split' && part.behavior === 'Isolated' && part.invert === true)
    return { ...part, invert: false };
  return part;
}

/** Compiles the pattern as the library will, so that a bad one is reported under its path. */
function checkPattern(part: JsonObject, path: string): JsonObject {
  if (part.type === 'Split' || part.type === 'Replace') compileReplace(part, path);
  return part;
}

/**
 * The function that a part with `pattern` (`{"String": …}` or `{"Regex": …}`, Oniguruma syntax) and `content`
 * stands for: every match becomes the content.
 * @throws TabmindError 'bad-tokenizer' when the pattern does not compile.
 */
export function compileReplace(part: JsonObject, path: string): (text: string) => string {
  const { String: text, Regex: regex } = isJsonObject(part.pattern) ? part.pattern : {};
  const pattern =
    typeof text === 'string' ? { String: text } : typeof regex === 'string' ? { Regex: regex } : null;
  if (pattern === null) throw badTokenizer(FILE, `${path}.pattern must hold a String or a Regex`);
  const content = typeof part.content === 'string' ? part.content : '';
  try {
    const replace = new ReplaceNormalizer({ type: 'Replace', pattern, content });
    return (input) => replace.normalize(input);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badTokenizer(FILE, `${path}.pattern does not compile: ${reason}`, cause);
  }
}

function checkTemplateTokens(
  part: JsonObject,
  path: string,
  hasToken: (content: string) => boolean,
): JsonObject {
  if (part.type !== 'TemplateProcessing') return part;
  if (!Array.isArray(part.single)) throw badTokenizer(FILE, `${path}.single must be a list`);
  for (const item of part.single) {
    const special = isJsonObject(item) ? item.SpecialToken : undefined;
    if (!isJsonObject(special)) continue;
    if (typeof special.id !== 'string' || !hasToken(special.id))
      throw badTokenizer(FILE, `${path} adds the token "${String(special.id)}", which does not exist`);
  }
  return part;
}
