import { badTokenizer, isJsonObject, type JsonObject } from './json-object';

const FILE = 'tokenizer.json';

/** The learned part of a tokenizer, checked. */
export interface Vocabulary {
  readonly type: 'BPE' | 'Unigram';
  /** Piece → id. Ids are whole, not negative and not shared. */
  readonly ids: ReadonlyMap<string, number>;
  /** Id → piece. */
  readonly pieces: ReadonlyMap<number, string>;
  readonly warnings: readonly string[];
}

/**
 * Reads `model` of tokenizer.json: known type, sound ids, and (BPE) merges whose parts and results are pieces.
 * @throws TabmindError 'bad-tokenizer'
 */
export function readVocabulary(root: JsonObject): Vocabulary {
  const model = root.model;
  if (!isJsonObject(model)) throw badTokenizer(FILE, 'has no model');
  const type = modelType(model);
  const ids = type === 'BPE' ? readTable(model.vocab) : readList(model.vocab);
  if (ids.size === 0) throw badTokenizer(FILE, 'model.vocab is empty');
  const pieces = invert(ids);
  if (type === 'BPE') {
    checkMerges(model.merges, ids);
    for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) {
      if (model[key])
        throw badTokenizer(
          FILE,
          `model.${key} is "${String(model[key])}": only pieces without marks are supported`,
        );
    }
  }
  return { type, ids, pieces, warnings: modelWarnings(model, type) };
}

function modelType(model: JsonObject): Vocabulary['type'] {
  const type = model.type;
  if (type === 'BPE' || type === 'Unigram') return type;
  // Files written before 2022 leave the type out.
  if (type === undefined && Array.isArray(model.merges)) return 'BPE';
  if (type === undefined && Array.isArray(model.vocab)) return 'Unigram';
  throw badTokenizer(FILE, `model type "${String(type)}" is not known; BPE and Unigram are`);
}

function modelWarnings(model: JsonObject, type: Vocabulary['type']): string[] {
  if (type === 'Unigram' && model.byte_fallback === true)
    return [
      `${FILE}: characters outside the vocabulary become the unknown token (Unigram byte fallback is not supported)`,
    ];
  return [];
}

function readTable(vocab: unknown): Map<string, number> {
  if (!isJsonObject(vocab)) throw badTokenizer(FILE, 'model.vocab must be an object');
  const ids = new Map<string, number>();
  for (const [piece, id] of Object.entries(vocab)) ids.set(piece, checkedId(id, piece));
  return ids;
}

function readList(vocab: unknown): Map<string, number> {
  if (!Array.isArray(vocab)) throw badTokenizer(FILE, 'model.vocab must be a list of [piece, score]');
  const ids = new Map<string, number>();
  for (const [index, entry] of vocab.entries()) {
    const [piece, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== 'string' || typeof score !== 'number')
      throw badTokenizer(FILE, `model.vocab[${index}] must be [piece, score]`);
    if (ids.has(piece))
      throw badTokenizer(FILE, `the piece "${piece}" has the ids ${ids.get(piece)} and ${index}`);
    ids.set(piece, index);
  }
  return ids;
}

/** @throws TabmindError 'bad-tokenizer' unless `id` is a whole number that an id can be. */
export function checkedId(id: unknown, piece: string): number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < 2 ** 31) return id;
  throw badTokenizer(FILE, `the token "${piece}" has the id ${JSON.stringify(id) ?? 'undefined'}`);
}

/** @throws TabmindError 'bad-tokenizer' when two pieces share an id. */
function invert(ids: ReadonlyMap<string, number>): Map<number, string> {
  const pieces = new Map<number, string>();
  for (const [piece, id] of ids) {
    const other = pieces.get(id);
    if (other !== undefined)
      throw badTokenizer(FILE, `the tokens "${other}" and "${piece}" share the id ${id}`);
    pieces.set(id, piece);
  }
  return pieces;
}

function checkMerges(merges: unknown, ids: ReadonlyMap<string, number>): void {
  if (!Array.isArray(merges)) throw badTokenizer(FILE, 'model.merges must be a list');
  for (const [index, merge] of merges.entries()) {
    const parts: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = parts;
    if (parts.length !== 2 || typeof left !== 'string' || typeof right !== 'string')
      throw badTokenizer(FILE, `merge ${index} is not a pair: ${JSON.stringify(merge)}`);
    // The library reads the form of the whole list from its first entry.
    if (typeof merge !== typeof merges[0])
      throw badTokenizer(FILE, `merge ${index} is not written like the first one`);
    for (const piece of [left, right, left + right]) {
      if (!ids.has(piece))
        throw badTokenizer(FILE, `merge ${index} needs "${piece}", which is not in the vocabulary`);
    }
  }
}
