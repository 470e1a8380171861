import type { Head } from './heads';

export type HistoryGroupName = 'pinned' | 'today' | 'yesterday' | 'week' | 'month' | 'older';

export interface HistoryGroup {
  readonly name: HistoryGroupName;
  /** Newest first. */
  readonly heads: readonly Head[];
}

const ORDER: readonly HistoryGroupName[] = ['pinned', 'today', 'yesterday', 'week', 'month', 'older'];

/** Days of the calendar between two moments, in the time zone of this computer: a night makes a day, not 24 hours. */
function daysBetween(earlierMs: number, laterMs: number): number {
  const dayOf = (ms: number): number => {
    const date = new Date(ms);
    return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
  };
  return dayOf(laterMs) - dayOf(earlierMs);
}

function groupOf({ isPinned, updatedMs }: Head, nowMs: number): HistoryGroupName {
  if (isPinned) return 'pinned';
  const days = daysBetween(updatedMs, nowMs);
  if (days <= 0) return 'today';
  if (days === 1) return 'yesterday';
  if (days <= 7) return 'week';
  return days <= 30 ? 'month' : 'older';
}

/** The list of conversations by date; groups without any are left out. */
export function groupHeads(heads: Iterable<Head>, nowMs: number): readonly HistoryGroup[] {
  const groups = new Map<HistoryGroupName, Head[]>(ORDER.map((name) => [name, []]));
  const newestFirst = [...heads].sort((one, other) => other.updatedMs - one.updatedMs);
  for (const head of newestFirst) groups.get(groupOf(head, nowMs))?.push(head);
  return [...groups].flatMap(([name, members]) => (members.length === 0 ? [] : [{ name, heads: members }]));
}
