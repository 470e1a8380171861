import { computed } from '@preact/signals';
import { type ChatMessage, TabmindError } from '../../src/index';
import { trimToFit } from './context-trim';
import { path } from './conversation';
import { engine, modelState } from './engine';

/** Room that a trimmed conversation leaves for the answer, as a share of the context. */
const ANSWER_SHARE = 0.25;
/** A character is at most this many tokens: byte-level tokenizers spend up to four on one. */
const MAX_TOKENS_PER_CHAR = 4;

export interface ContextUse {
  readonly usedTokens: number;
  readonly maxTokens: number;
}

/** How much of the model's context the branch on screen takes, as the last answer counted it; null before that. */
export const contextUse = computed<ContextUse | null>(() => {
  const state = modelState.value;
  if (state.status !== 'ready') return null;
  const { contextLength: maxTokens } = state.info;
  for (const message of path.value.toReversed()) {
    if (message.role !== 'assistant') continue;
    const answer = message.state.value;
    if (answer.status === 'done' && answer.usage !== null)
      return { usedTokens: answer.usage.total_tokens, maxTokens };
  }
  return { usedTokens: 0, maxTokens };
});

/**
 * The messages as they fit the model's context. Throws `context-full` when they do not and nothing may be left out, or
 * when the last question alone is too long.
 */
export async function fitContext(
  messages: readonly ChatMessage[],
  maxTokens: number,
  dropsOldest: boolean,
  continuesLast: boolean,
): Promise<readonly ChatMessage[]> {
  const chars = messages.reduce((sum, { content }) => sum + content.length, 0);
  if (chars * MAX_TOKENS_PER_CHAR < maxTokens / 2) return messages;
  const count = async (some: readonly ChatMessage[]) =>
    (await engine().renderChat(some, continuesLast)).length;
  const numTokens = await count(messages);
  if (numTokens < maxTokens && !dropsOldest) return messages;
  const roomTokens = Math.floor(maxTokens * (1 - ANSWER_SHARE));
  const trimmed = dropsOldest ? await trimToFit(messages, roomTokens, count) : null;
  if (trimmed !== null) return trimmed;
  if (numTokens < maxTokens) return messages;
  throw new TabmindError('context-full', `The conversation has ${numTokens} tokens of ${maxTokens}.`, {
    meaning: 'The model cannot read all of it at once.',
    remedy: 'Leave out the oldest turns, or start a new conversation.',
    details: { numTokens, maxTokens },
  });
}
