import { signal } from '@preact/signals';
import { isTemporary } from './temporary';

/** What the list of conversations knows of each. */
export interface Head {
  readonly id: string;
  /** The start of the first question, or what the person called it. */
  readonly title: string;
  /** The person named it, so nothing else may. */
  readonly isNamed: boolean;
  readonly isPinned: boolean;
  /** '' when there is none. */
  readonly systemPrompt: string;
  /** When the context is full: leave out the oldest turns instead of asking. */
  readonly dropsOldest: boolean;
  readonly createdMs: number;
  /** Of the last message. */
  readonly updatedMs: number;
  /** Last message of the branch that is shown; null before the first. */
  readonly leaf: string | null;
}

export type HeadPatch = Partial<Omit<Head, 'id' | 'createdMs'>>;

/** Every conversation of this browser, and the new one that is not stored yet because nothing was said. */
export const heads = signal<ReadonlyMap<string, Head>>(new Map());

export function newHead(id: string, nowMs = Date.now()): Head {
  return {
    id,
    title: '',
    isNamed: false,
    isPinned: false,
    systemPrompt: '',
    dropsOldest: false,
    createdMs: nowMs,
    updatedMs: nowMs,
    leaf: null,
  };
}

export function headOf(id: string): Head {
  return heads.value.get(id) ?? newHead(id);
}

/** Conversations in which something was said, without the temporary ones. */
export const storedHeads = (): readonly Head[] =>
  [...heads.value.values()].filter(({ id, leaf }) => leaf !== null && !isTemporary(id));

export function putHead(head: Head): void {
  heads.value = new Map(heads.value).set(head.id, head);
}

export function forgetHeads(ids: readonly string[]): void {
  const left = new Map(heads.value);
  for (const id of ids) left.delete(id);
  heads.value = left;
}
