import { signal } from '@preact/signals';
import type { Answer } from '../../web/state/message';

/** An answer as it is while it streams. */
export function growingAnswer(id: string, parent: string, text: string): Answer {
  return {
    role: 'assistant',
    id,
    parent,
    createdMs: 2,
    model: 'tabmind/starter',
    text: signal(text),
    state: signal<Answer['state']['value']>({ status: 'answering' }),
    thinkingMs: signal<number | null>(null),
  };
}
