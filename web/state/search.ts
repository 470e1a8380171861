import { store } from './archive';
import type { Head } from './heads';

/** A conversation that holds the words, and where. */
export interface Hit {
  readonly head: Head;
  /** Text around the first place, or null when only the title has it. */
  readonly excerpt: Excerpt | null;
}

export interface Excerpt {
  readonly before: string;
  readonly match: string;
  readonly after: string;
}

const MAX_HITS = 50;
const BEFORE_CHARS = 32;
const AFTER_CHARS = 80;

/** Text as it is compared: letters in one case, accents and widths made one. */
const folded = (text: string): string => text.normalize('NFKC').toLocaleLowerCase();

/** The place of `words` in `text`; null when it is not there. */
export function excerptOf(text: string, words: string): Excerpt | null {
  const at = folded(text).indexOf(folded(words));
  if (at === -1) return null;
  // folding keeps lengths except for rare letters, where the excerpt is off by as much
  const start = Math.max(0, at - BEFORE_CHARS);
  const end = at + words.length;
  return {
    before: `${start > 0 ? '…' : ''}${text.slice(start, at)}`,
    match: text.slice(at, end),
    after: `${text.slice(end, end + AFTER_CHARS)}${text.length > end + AFTER_CHARS ? '…' : ''}`,
  };
}

/** Conversations whose title or messages hold `words`, the last used first. Rejects with the storage's error. */
export async function searchConversations(heads: readonly Head[], words: string): Promise<readonly Hit[]> {
  const wanted = words.trim();
  if (wanted === '') return [];
  const { items } = await store.messages();
  const found = new Map<string, Excerpt>();
  for (const { conversation, text } of items) {
    if (found.has(conversation)) continue;
    const excerpt = excerptOf(text, wanted);
    if (excerpt !== null) found.set(conversation, excerpt);
  }
  return heads
    .filter(({ id, title }) => found.has(id) || excerptOf(title, wanted) !== null)
    .sort((one, other) => other.updatedMs - one.updatedMs)
    .slice(0, MAX_HITS)
    .map((head) => ({ head, excerpt: found.get(head.id) ?? null }));
}
