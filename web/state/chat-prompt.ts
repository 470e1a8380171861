import type { ChatMessage } from '../../src/index';
import { chatWords } from '../i18n/chat';
import type { Message } from './message';
import { splitThinking } from './thinking';

/** What the model is shown: the system prompt, every question, and every answer that has text, without its thinking. */
export function promptOf(systemPrompt: string, branch: readonly Message[]): readonly ChatMessage[] {
  const system = systemPrompt.trim();
  const messages: ChatMessage[] = system === '' ? [] : [{ role: 'system', content: system }];
  for (const message of branch) {
    if (message.role === 'user') messages.push({ role: 'user', content: message.text });
    else {
      const { text } = splitThinking(message.text.value);
      if (text !== '') messages.push({ role: 'assistant', content: text });
    }
  }
  return messages;
}

/** Asks for the rest of the last answer. */
export function continuationOf(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return [...messages, { role: 'user', content: chatWords.value.goOn }];
}

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
