import type { ChatMessage } from '../../src/index';
import { chatWords } from '../i18n/chat';
import type { Message } from './message';
import { questionText } from './question-text';
import { splitThinking } from './thinking';

/** What the model is shown: the system prompt, every question, and every answer that has text, without its thinking. */
export function promptOf(systemPrompt: string, branch: readonly Message[]): readonly ChatMessage[] {
  const system = systemPrompt.trim();
  const messages: ChatMessage[] = system === '' ? [] : [{ role: 'system', content: system }];
  for (const message of branch) {
    if (message.role === 'user')
      messages.push({ role: 'user', content: questionText(message.text, message.files) });
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
