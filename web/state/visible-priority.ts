import { effect } from '@preact/signals';
import { openId } from './conversation';

/** The answer on screen is the one that is waited for. */
export const priorityOf = (conversation: string): number => (openId.value === conversation ? 1 : 0);

/** Calls `change` with the priority of a conversation's answer whenever it changes, until the returned function is called. */
export function followPriority(conversation: string, change: (priority: number) => void): () => void {
  let known = priorityOf(conversation);
  return effect(() => {
    const priority = priorityOf(conversation);
    if (priority !== known) change(priority);
    known = priority;
  });
}
