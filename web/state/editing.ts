import { keepMessages } from './archive';
import { runs } from './conversation';
import type { Answer } from './message';

/** Puts the person's words in the model's mouth, unless it speaks. What the engine counted no longer fits them. */
export function rewriteAnswer(conversation: string, answer: Answer, text: string): void {
  if (runs.value.has(answer.id)) return;
  answer.text.value = text;
  const state = answer.state.value;
  if (state.status === 'done') answer.state.value = { ...state, usage: null, timings: null };
  keepMessages(conversation, [answer]);
}
