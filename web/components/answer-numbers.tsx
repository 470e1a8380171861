import { chatWords } from '../i18n/chat';
import { formatCount, formatDuration, formatRate } from '../i18n/format';
import { words } from '../i18n/locale';
import type { AnswerTimings, AnswerUsage } from '../state/message';

export interface AnswerNumbersProps {
  readonly usage: AnswerUsage | null;
  readonly timings: AnswerTimings | null;
  /** Id of the model that wrote it. */
  readonly model: string;
}

interface Row {
  readonly name: string;
  readonly value: string;
}

function promptText({ prompt_tokens, prompt_tokens_details }: AnswerUsage): string {
  const { numbers } = chatWords.value;
  const { cached_tokens } = prompt_tokens_details;
  const count = formatCount(prompt_tokens);
  return cached_tokens === 0
    ? numbers.answerTokens(count)
    : numbers.promptTokens(count, formatCount(cached_tokens));
}

function rows({
  usage,
  timings,
  model,
}: AnswerNumbersProps & { readonly timings: AnswerTimings }): readonly Row[] {
  const { numbers } = chatWords.value;
  const counts: readonly Row[] =
    usage === null
      ? []
      : [
          { name: numbers.prompt, value: promptText(usage) },
          { name: numbers.answer, value: numbers.answerTokens(formatCount(usage.completion_tokens)) },
        ];
  return [
    { name: numbers.model, value: model },
    ...counts,
    { name: numbers.ttft, value: formatDuration(timings.ttftMs) },
    { name: numbers.prefill, value: numbers.rate(formatRate(timings.prefillTokensPerSecond)) },
    { name: numbers.decode, value: numbers.rate(formatRate(timings.decodeTokensPerSecond)) },
    { name: numbers.itl, value: formatDuration(timings.itlP95Ms) },
    { name: numbers.total, value: formatDuration(timings.totalMs) },
  ];
}

/** Speed, time to the first token, and length of one answer, as the engine measured them; all of it when opened. */
export function AnswerNumbers(props: AnswerNumbersProps) {
  const { usage, timings } = props;
  const { numbers } = words.value;
  if (timings === null) return null;
  return (
    <details class="numbers">
      <summary title={chatWords.value.numbers.details}>
        {timings.decodeTokensPerSecond > 0 && (
          <span class="numbers-rate">{numbers.decode(formatRate(timings.decodeTokensPerSecond))}</span>
        )}
        <span class="numbers-ttft">{numbers.ttft(formatDuration(timings.ttftMs))}</span>
        {usage !== null && (
          <span class="numbers-tokens">{numbers.tokens(formatCount(usage.completion_tokens))}</span>
        )}
      </summary>
      <dl class="facts">
        {rows({ ...props, timings }).map(({ name, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
