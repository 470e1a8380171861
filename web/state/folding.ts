/** Text as it is compared: letters in one case, widths and composed accents made one. */
export const folded = (text: string): string => text.normalize('NFKC').toLowerCase();

/** Where something lies in a text, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The first place of `words` in `text`, both folded for the comparison; null when it is not there. */
export function placeOf(text: string, words: string): Span | null {
  const wanted = folded(words);
  const whole = folded(text);
  const at = whole.indexOf(wanted);
  if (at === -1) return null;
  const until = at + wanted.length;
  if (whole.length === text.length) return { start: at, end: until };
  return { start: unfold(text, at, 'start'), end: unfold(text, until, 'end') };
}

/** The character of `text` whose folded form holds the place `at` of the folded text: where it begins, or where it ends. */
function unfold(text: string, at: number, edge: 'start' | 'end'): number {
  let numFolded = 0;
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    const before = numFolded;
    numFolded += folded(segment).length;
    if (edge === 'start' && numFolded > at) return index;
    if (edge === 'end' && numFolded >= at && before < at) return index + segment.length;
  }
  return text.length;
}
