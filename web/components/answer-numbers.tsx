import type { Timings, Usage } from '../../src/index';
import { formatCount, formatDuration, formatRate } from '../i18n/format';
import { words } from '../i18n/locale';

export interface AnswerNumbersProps {
  readonly usage: Usage | null;
  readonly timings: Timings | null;
}

/** Speed, time to the first token, and length of one answer, as the engine measured them. */
export function AnswerNumbers({ usage, timings }: AnswerNumbersProps) {
  const { numbers } = words.value;
  if (timings === null) return null;
  return (
    <span class="numbers" title={numbers.decodeHint(formatRate(timings.prefillTokensPerSecond))}>
      {timings.decodeTokensPerSecond > 0 && (
        <span class="numbers-rate">{numbers.decode(formatRate(timings.decodeTokensPerSecond))}</span>
      )}
      <span class="numbers-ttft">{numbers.ttft(formatDuration(timings.ttftMs))}</span>
      {usage !== null && (
        <span class="numbers-tokens">{numbers.tokens(formatCount(usage.completion_tokens))}</span>
      )}
    </span>
  );
}
