import { TabmindError } from '../errors';
import { defect } from './defect';
import type { Sequence } from './sequence';

/** A sequence that so many later ones have been admitted before is served before all others. */
const MAX_OVERTAKEN = 16;

/** Larger goes first: the priority of the request, until others have overtaken it too often. */
export function urgencyOf(sequence: Sequence): number {
  return sequence.numOvertaken >= MAX_OVERTAKEN ? Number.POSITIVE_INFINITY : sequence.priority;
}

/** Negative when `a` goes before `b`: the more urgent, then the earlier. */
export function compareRank(a: Sequence, b: Sequence): number {
  const [urgencyA, urgencyB] = [urgencyOf(a), urgencyOf(b)];
  if (urgencyA !== urgencyB) return urgencyA > urgencyB ? -1 : 1;
  return a.order - b.order;
}

export function checkPriority(priority: number): void {
  if (!Number.isFinite(priority))
    throw new TabmindError('bad-request', `The priority is ${priority}; it must be a number.`);
}

/** Takes a sequence out of a list that must have it. */
export function remove(list: Sequence[], sequence: Sequence): void {
  const index = list.indexOf(sequence);
  if (index < 0) throw defect(`sequence ${sequence.id} is not in the list of its status`);
  list.splice(index, 1);
}

/** Puts a sequence where it belongs in a list kept by rank. */
export function insertRanked(list: Sequence[], sequence: Sequence): void {
  const later = list.findIndex((other) => compareRank(sequence, other) < 0);
  list.splice(later < 0 ? list.length : later, 0, sequence);
}

/** Those that came before `sequence` and have not begun to answer rank by being overtaken from now on. */
export function overtakeEarlier(list: Sequence[], { order: own }: Sequence): void {
  const overtaken = list.filter(({ order, status }) => order < own && status !== 'running');
  for (const earlier of overtaken) {
    remove(list, earlier);
    earlier.overtake();
    insertRanked(list, earlier);
  }
}

/** Throws `internal` where a list is out of order. */
export function checkRanked(list: readonly Sequence[]): void {
  for (const [i, sequence] of list.entries()) {
    const next = list[i + 1];
    if (next !== undefined && compareRank(sequence, next) > 0)
      throw defect(`sequence ${next.id} should come before ${sequence.id}`);
  }
}
