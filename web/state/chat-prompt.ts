import type { ChatMessage } from '../../src/index';
import type { Message } from './message';
import { questionText } from './question-text';
import { splitThinking } from './thinking';

/**
 * What the model is shown: the system prompt, every question, and every answer that has text, without its thinking. An answer
 * that goes on (`continuesLast`) is shown as the model wrote it.
 */
export function promptOf(
  systemPrompt: string,
  branch: readonly Message[],
  continuesLast: boolean,
): readonly ChatMessage[] {
  const system = systemPrompt.trim();
  const messages: ChatMessage[] = system === '' ? [] : [{ role: 'system', content: system }];
  for (const message of branch) {
    if (message.role === 'user')
      messages.push({ role: 'user', content: questionText(message.text, message.files) });
    else {
      const whole = message.text.value;
      const isWhole = continuesLast && message === branch.at(-1);
      const text = isWhole ? whole : splitThinking(whole).text;
      if (text !== '') messages.push({ role: 'assistant', content: text });
    }
  }
  return messages;
}
