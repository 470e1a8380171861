import type { ChatMessage } from '../../src/index';

/**
 * Leaves out the oldest turns until `count` says that the rest fits. The system prompt and the last question stay; null
 * when these alone are too long.
 *
 * @param count tokens of a rendered conversation
 */
export async function trimToFit(
  messages: readonly ChatMessage[],
  maxTokens: number,
  count: (messages: readonly ChatMessage[]) => Promise<number>,
): Promise<readonly ChatMessage[] | null> {
  const system = messages.filter(({ role }) => role === 'system');
  let turns = messages.filter(({ role }) => role !== 'system');
  while ((await count([...system, ...turns])) > maxTokens) {
    // a conversation begins with a question, so a question goes with its answer
    const next = turns.findIndex(({ role }, index) => index > 0 && role === 'user');
    if (next === -1) return null;
    turns = turns.slice(next);
  }
  return [...system, ...turns];
}
