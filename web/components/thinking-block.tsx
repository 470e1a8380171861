import { chatWords } from '../i18n/chat';
import { formatDuration } from '../i18n/format';
import { DRAWINGS } from './drawings';
import { Icon } from './icon';

export interface ThinkingBlockProps {
  readonly text: string;
  readonly isRunning: boolean;
  /** Null when it was not measured. */
  readonly timeMs: number | null;
}

/** What the model said to itself, folded away under the time that it took. */
export function ThinkingBlock({ text, isRunning, timeMs }: ThinkingBlockProps) {
  const { thinking } = chatWords.value;
  const label = isRunning
    ? thinking.running
    : timeMs === null
      ? thinking.done
      : thinking.time(formatDuration(timeMs));
  return (
    <details class={isRunning ? 'thinking thinking-running' : 'thinking'}>
      <summary>
        <Icon name={DRAWINGS.branchNext} />
        {label}
      </summary>
      <div class="thinking-text" dir="auto">
        {text}
      </div>
    </details>
  );
}
