import type { Token, Tokens } from 'marked';

/** How a list or table goes on: its parts from `from` on are new or others than before. */
export interface Growth {
  readonly from: number;
  /** A list or table of these parts alone. */
  readonly rest: Token;
  /** What holds the parts on the page. */
  readonly container: 'ul' | 'ol' | 'tbody';
}

function commonParts(before: readonly string[], after: readonly string[]): number {
  let count = 0;
  while (count < before.length && count < after.length && before[count] === after[count]) count++;
  return count;
}

const isList = (token: Token): token is Tokens.List => token.type === 'list';
const isTable = (token: Token): token is Tokens.Table => token.type === 'table';

const itemKey = ({ raw, loose, task, checked }: Tokens.ListItem): string =>
  JSON.stringify([raw.trimEnd(), loose, task, checked]);

const rowKey = (row: readonly Tokens.TableCell[]): string => JSON.stringify(row.map(({ text }) => text));

const headKey = ({ header, align }: Tokens.Table): string => JSON.stringify([rowKey(header), align]);

/**
 * The growth from one state of a block to the next; null where it is of another kind, or all of it has changed. A long list
 * that streams would else be drawn again as a whole for every token.
 */
export function growth(before: Token, after: Token): Growth | null {
  if (isList(before) && isList(after)) {
    const isSameKind =
      before.ordered === after.ordered && before.start === after.start && before.loose === after.loose;
    const from = commonParts(before.items.map(itemKey), after.items.map(itemKey));
    if (!isSameKind || from === 0) return null;
    const rest: Tokens.List = { ...after, items: after.items.slice(from) };
    return { from, rest, container: after.ordered ? 'ol' : 'ul' };
  }
  if (isTable(before) && isTable(after)) {
    const from = commonParts(before.rows.map(rowKey), after.rows.map(rowKey));
    if (headKey(before) !== headKey(after) || from === 0) return null;
    const rest: Tokens.Table = { ...after, rows: after.rows.slice(from) };
    return { from, rest, container: 'tbody' };
  }
  return null;
}
