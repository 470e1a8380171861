import { useComputed } from '@preact/signals';
import { words } from '../i18n/locale';
import type { Answer, AnswerState, Question } from '../state/conversation';
import { retry, turns } from '../state/conversation';
import { AnswerNumbers } from './answer-numbers';
import { AnswerText } from './answer-text';
import { CopyButton } from './copy-button';
import { ErrorCard } from './error-card';
import { IconButton } from './icon-button';

export function QuestionTurn({ turn }: { readonly turn: Question }) {
  return (
    <article class="turn question" aria-label={words.value.chat.you}>
      <p class="turn-text">{turn.text}</p>
    </article>
  );
}

function Waiting({ status }: { readonly status: AnswerState['status'] }) {
  const { chat } = words.value;
  return (
    <p class="waiting">
      <span class="pulse" aria-hidden="true" />
      {status === 'waiting' ? chat.waiting : chat.thinking}
    </p>
  );
}

/** Copy, try again where the answer was cut short, and the numbers. */
function AnswerFoot({ turn }: { readonly turn: Answer }) {
  const state = turn.state.value;
  const { chat } = words.value;
  if (state.status !== 'done') return null;
  const stopped = state.finishReason === 'abort';
  const isLast = turns.value.at(-1) === turn;
  return (
    <footer class="answer-foot">
      {turn.text.value !== '' && <CopyButton text={() => turn.text.value} />}
      {stopped && isLast && <IconButton icon="retry" label={chat.retry} onClick={() => void retry()} />}
      {stopped && <span class="note">{chat.stopped}</span>}
      {state.finishReason === 'length' && <span class="note">{chat.length}</span>}
      <AnswerNumbers usage={state.usage} timings={state.timings} />
    </footer>
  );
}

/** Shown until the first token; `hasText` changes once, so the tokens after it draw nothing here. */
function BeforeFirstToken({ turn }: { readonly turn: Answer }) {
  const hasText = useComputed(() => turn.text.value !== '');
  const { status } = turn.state.value;
  if (hasText.value || (status !== 'waiting' && status !== 'answering')) return null;
  return <Waiting status={status} />;
}

/** `turn.text` is read by the text alone: a streamed token renders nothing else. */
export function AnswerTurn({ turn }: { readonly turn: Answer }) {
  const state = turn.state.value;
  const isRunning = state.status === 'waiting' || state.status === 'answering';
  return (
    <article
      class={`turn answer answer-${state.status}`}
      aria-label={words.value.chat.model}
      aria-busy={isRunning}
    >
      <BeforeFirstToken turn={turn} />
      <div class="turn-text" dir="auto">
        <AnswerText text={turn.text} isStreaming={isRunning} />
      </div>
      {state.status === 'failed' && <ErrorCard error={state.error} />}
      <AnswerFoot turn={turn} />
    </article>
  );
}
