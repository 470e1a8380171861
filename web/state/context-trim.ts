import type { ChatMessage } from '../../src/index';

/**
 * Leaves out the oldest turns, as many as `count` says must go so that the rest fits; it is asked a few times, however many
 * turns there are. The system prompt and the last question stay; null when these alone are too long.
 *
 * @param count tokens of a rendered conversation
 */
export async function trimToFit(
  messages: readonly ChatMessage[],
  maxTokens: number,
  count: (messages: readonly ChatMessage[]) => Promise<number>,
): Promise<readonly ChatMessage[] | null> {
  const system = messages.filter(({ role }) => role === 'system');
  const turns = messages.filter(({ role }) => role !== 'system');
  // a conversation begins with a question, so a question goes with its answer
  const starts = turns.flatMap(({ role }, index) => (index === 0 || role === 'user' ? [index] : []));
  const from = (at: number) => [...system, ...turns.slice(starts[at])];
  // the rest is the shorter, the later it begins
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((await count(from(middle))) > maxTokens) low = middle + 1;
    else high = middle;
  }
  return low < starts.length ? from(low) : null;
}
