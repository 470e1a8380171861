import { store, watchStore } from './archive';
import { folded, placeOf } from './folding';
import type { Head } from './heads';
import { type IndexedMessage, SearchIndex } from './search-index';

/** A conversation that holds the words, and where. */
export interface Hit {
  readonly head: Head;
  /** Its newest messages that hold the words; none when only the title does. */
  readonly places: readonly HitPlace[];
}

/** A message that holds the words. */
export interface HitPlace {
  readonly message: string;
  readonly excerpt: Excerpt;
}

/** Text around the first place. */
export interface Excerpt {
  readonly before: string;
  readonly match: string;
  readonly after: string;
}

const MAX_HITS = 50;
/** Places shown of one conversation. */
const MAX_PLACES = 3;
const BEFORE_CHARS = 32;
const AFTER_CHARS = 80;

let followed: SearchIndex | null = null;

/** Made with the first search: a visit that never searches reads nothing. */
function index(): SearchIndex {
  if (followed !== null) return followed;
  const made = new SearchIndex(store);
  watchStore((note) => made.note(note));
  followed = made;
  return made;
}

/** Marks of Markdown that mean nothing in one line of plain text. */
const MARKS = /<\/?think>|\*\*|__|~~|`+|^#{1,6} /gm;
/** Lines of a table, and what is left of formulas that are cut. */
const CELLS = /:?-{3,}:?|:-+:|\||\$(?!\d)/g;
/** A formula between dollar signs, unlike two prices. */
const FORMULA = /\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)/g;

/** One line of a text in Markdown as a person reads it. */
function plainLine(text: string): string {
  return text.replace(FORMULA, '$1').replace(MARKS, '').replace(CELLS, ' ').replace(/\s+/g, ' ');
}

/** The place of `words` in `text`, which is Markdown, as plain text; null when it is not there. */
export function excerptOf(text: string, words: string): Excerpt | null {
  const place = placeOf(text, words);
  if (place === null) return null;
  const start = Math.max(0, place.start - BEFORE_CHARS);
  const end = place.end + AFTER_CHARS;
  return {
    before: `${start > 0 ? '…' : ''}${plainLine(text.slice(start, place.start))}`,
    match: text.slice(place.start, place.end),
    after: `${plainLine(text.slice(place.end, end))}${text.length > end ? '…' : ''}`,
  };
}

function placesOf(messages: readonly IndexedMessage[], words: string): readonly HitPlace[] {
  return messages.slice(0, MAX_PLACES).flatMap(({ id, text }) => {
    const excerpt = excerptOf(text, words);
    return excerpt === null ? [] : [{ message: id, excerpt }];
  });
}

/** Conversations whose title or messages hold `words`, the last used first. Rejects with the storage's error. */
export async function searchConversations(heads: readonly Head[], words: string): Promise<readonly Hit[]> {
  const wanted = words.trim();
  if (wanted === '') return [];
  const found = await index().find(folded(wanted));
  return heads
    .filter(({ id, title }) => found.has(id) || placeOf(title, wanted) !== null)
    .sort((one, other) => other.updatedMs - one.updatedMs)
    .slice(0, MAX_HITS)
    .map((head) => ({ head, places: placesOf(found.get(head.id) ?? [], wanted) }));
}
