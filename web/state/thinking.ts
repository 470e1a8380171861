/** An answer in two parts: what the model said to itself, and what it says. */
export interface ThoughtAnswer {
  /** Null when it did not think. */
  readonly thinking: string | null;
  readonly text: string;
  /** The thinking has not ended yet. */
  readonly isThinking: boolean;
}

const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Cuts `<think>…</think>` off the start of an answer. Some templates write the opening into the prompt, so an end without
 * a beginning counts too; half of an opening tag at the end of a stream is not shown as text.
 */
export function splitThinking(answer: string): ThoughtAnswer {
  const start = answer.trimStart();
  const isOpen = start.startsWith(OPEN);
  const end = answer.indexOf(CLOSE);
  if (end !== -1 && (isOpen || !answer.slice(0, end).includes(OPEN))) {
    const thinking = answer.slice(0, end).replace(OPEN, '').trim();
    const text = answer.slice(end + CLOSE.length).trimStart();
    return { thinking: thinking === '' ? null : thinking, text, isThinking: false };
  }
  if (isOpen) return { thinking: start.slice(OPEN.length).trimStart(), text: '', isThinking: true };
  if (start !== '' && OPEN.startsWith(start)) return { thinking: '', text: '', isThinking: true };
  return { thinking: null, text: answer, isThinking: false };
}
