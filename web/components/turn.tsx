import { useComputed, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { words } from '../i18n/locale';
import { Markdown } from '../markdown/markdown';
import { ask, continueAnswer, regenerate } from '../state/answering';
import { editing, isAnswering, openId, path } from '../state/conversation';
import { rewriteAnswer } from '../state/editing';
import type { Answer, AnswerState, Question } from '../state/message';
import { isRunning } from '../state/message';
import { focusComposer } from '../state/message-box';
import { removeMessage } from '../state/removal';
import { splitThinking } from '../state/thinking';
import { splitToolCalls } from '../state/tool-calls';
import { AnswerNumbers } from './answer-numbers';
import { QuestionFiles } from './attached-files';
import { BranchArrows } from './branch-arrows';
import { CopyButton } from './copy-button';
import { DRAWINGS } from './drawings';
import { ErrorCard } from './error-card';
import { turnId } from './found-turn';
import { IconButton } from './icon-button';
import { MessageEditor } from './message-editor';
import { ThinkingBlock } from './thinking-block';
import { ToolCallBlock } from './tool-call-block';

/** The editor is gone with the focus in it; the button that opened it gets it back. */
function useFocusBack(id: string) {
  const article = useRef<HTMLElement>(null);
  const wasEditing = useRef(false);
  useSignalEffect(() => {
    const isEditing = editing.value === id;
    if (wasEditing.current && editing.value === null)
      setTimeout(() => article.current?.querySelector<HTMLElement>('.edit')?.focus());
    wasEditing.current = isEditing;
  });
  return article;
}

function EditButton({ id }: { readonly id: string }) {
  return (
    <IconButton
      icon={DRAWINGS.pencil}
      label={chatWords.value.turn.edit}
      class="edit"
      isOff={isAnswering.value}
      onClick={() => {
        editing.value = id;
      }}
    />
  );
}

function RemoveButton({ id }: { readonly id: string }) {
  return (
    <IconButton
      icon="trash"
      label={chatWords.value.turn.remove}
      class="remove"
      onClick={() => removeMessage(openId.value, id)}
    />
  );
}

function stopEditing(): void {
  editing.value = null;
}

export function QuestionTurn({ turn }: { readonly turn: Question }) {
  const article = useFocusBack(turn.id);
  const { edit, turn: text } = chatWords.value;
  if (editing.value === turn.id) {
    return (
      <article
        ref={article}
        id={turnId(turn.id)}
        class="turn question question-editing"
        aria-label={words.value.chat.you}
      >
        <MessageEditor
          label={edit.question}
          text={turn.text}
          confirm={edit.send}
          hint={edit.hint}
          onCancel={stopEditing}
          isOff={isAnswering.value}
          onConfirm={(next) => {
            stopEditing();
            focusComposer();
            void ask(openId.value, next, turn.parent, turn.files);
          }}
        />
      </article>
    );
  }
  return (
    <article ref={article} id={turnId(turn.id)} class="turn question" aria-label={words.value.chat.you}>
      {turn.files !== undefined && <QuestionFiles files={turn.files} />}
      <p class="turn-text question-text" dir="auto">
        {turn.text}
      </p>
      <footer class="turn-foot">
        <BranchArrows message={turn} />
        <CopyButton text={() => turn.text} label={text.copyQuestion} />
        <EditButton id={turn.id} />
        <RemoveButton id={turn.id} />
      </footer>
    </article>
  );
}

function Waiting({ status }: { readonly status: AnswerState['status'] }) {
  const { chat } = words.value;
  const text =
    status === 'waiting'
      ? chat.waiting
      : status === 'elsewhere'
        ? chatWords.value.turn.elsewhere
        : chat.thinking;
  return (
    <p class="waiting">
      <span class="pulse" aria-hidden="true" />
      {text}
    </p>
  );
}

/** What can be done with an answer that has ended, and its numbers. */
function AnswerFoot({ turn }: { readonly turn: Answer }) {
  const state = turn.state.value;
  if (isRunning(state)) return null;
  const { chat } = words.value;
  const text = chatWords.value.turn;
  const isDone = state.status === 'done';
  const isCut = isDone && state.finishReason !== 'stop';
  const isLast = path.value.at(-1) === turn;
  const hasText = turn.text.value !== '';
  return (
    <footer class={isLast ? 'turn-foot turn-foot-last' : 'turn-foot'}>
      <BranchArrows message={turn} />
      {hasText && <CopyButton text={() => splitThinking(turn.text.value).text} />}
      {isDone && (
        <IconButton
          icon={DRAWINGS.regenerate}
          label={isCut && !hasText ? chat.retry : text.regenerate}
          isOff={isAnswering.value}
          onClick={() => void regenerate(openId.value, turn)}
        />
      )}
      {isCut && isLast && hasText && (
        <IconButton
          icon={DRAWINGS.goOn}
          label={text.continue}
          isOff={isAnswering.value}
          onClick={() => void continueAnswer(openId.value, turn)}
        />
      )}
      {hasText && <EditButton id={turn.id} />}
      <RemoveButton id={turn.id} />
      {isDone && state.finishReason === 'abort' && <span class="note">{chat.stopped}</span>}
      {isDone && state.finishReason === 'length' && <span class="note">{chat.length}</span>}
      {isDone && <AnswerNumbers usage={state.usage} timings={state.timings} model={turn.model} />}
    </footer>
  );
}

/** Shown until the first token; `hasText` changes once, so the tokens after it draw nothing here. */
function BeforeFirstToken({ turn }: { readonly turn: Answer }) {
  const hasText = useComputed(() => turn.text.value !== '');
  const { status } = turn.state.value;
  if (!isRunning(turn.state.value) || (hasText.value && status === 'answering')) return null;
  return <Waiting status={status} />;
}

/** The only part that is drawn anew with every token. */
function AnswerBody({ turn }: { readonly turn: Answer }) {
  const { thinking, text, isThinking } = splitThinking(turn.text.value);
  const isStreaming = isRunning(turn.state.value);
  const parts = text === '' ? [] : splitToolCalls(text, isStreaming);
  return (
    <>
      {thinking !== null && (
        <ThinkingBlock text={thinking} isRunning={isThinking && isStreaming} timeMs={turn.thinkingMs.value} />
      )}
      {parts.map((part, index) =>
        part.kind === 'call' ? (
          <ToolCallBlock key={index} call={part} />
        ) : (
          <div key={index} class="turn-text" dir="auto">
            <Markdown source={part.text} isStreaming={isStreaming && index === parts.length - 1} />
          </div>
        ),
      )}
    </>
  );
}

export function AnswerTurn({ turn }: { readonly turn: Answer }) {
  const article = useFocusBack(turn.id);
  const state = turn.state.value;
  const { edit } = chatWords.value;
  const isEditing = editing.value === turn.id;
  return (
    <article
      ref={article}
      id={turnId(turn.id)}
      class={`turn answer answer-${state.status}`}
      aria-label={words.value.chat.model}
      aria-busy={isRunning(state)}
    >
      {isEditing ? (
        <MessageEditor
          label={edit.answer}
          text={turn.text.value}
          confirm={edit.save}
          isOff={isRunning(state)}
          onCancel={stopEditing}
          onConfirm={(text) => {
            rewriteAnswer(openId.value, turn, text);
            stopEditing();
          }}
        />
      ) : (
        <AnswerBody turn={turn} />
      )}
      <BeforeFirstToken turn={turn} />
      {state.status === 'failed' && !isEditing && <ErrorCard error={state.error} />}
      {!isEditing && <AnswerFoot turn={turn} />}
    </article>
  );
}
