import { useEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/locale';
import { editLast, isAnswering, openId, stop } from '../state/conversation';
import { draft, setDraft } from '../state/drafts';
import { COMPOSER_ID } from '../state/message-box';
import { modelName, selectedModel } from '../state/models';
import { isSendKey } from '../state/send-key';
import { sendDraft } from '../state/sending';
import { sendKey } from '../state/settings';
import { Icon } from './icon';
import { LazyChat } from './lazy-chat';

function onKeyDown(event: KeyboardEvent): void {
  if (event.key === 'ArrowUp' && draft.value === '' && !event.isComposing) {
    event.preventDefault();
    editLast();
  }
  if (!isSendKey(event)) return;
  event.preventDefault();
  sendDraft();
}

function StopOrSend() {
  const { composer } = words.value;
  if (isAnswering.value) {
    return (
      <button
        type="button"
        class="send send-stop"
        aria-label={composer.stop}
        title={composer.stopHint}
        onClick={() => stop()}
      >
        <Icon name="stop" />
      </button>
    );
  }
  return (
    <button
      type="submit"
      class="send"
      aria-label={composer.send}
      title={composer.send}
      disabled={draft.value.trim() === ''}
    >
      <Icon name="arrowUp" />
    </button>
  );
}

/** The message box. It keeps taking text while an answer streams; only sending waits. */
export function Composer() {
  const box = useRef<HTMLTextAreaElement>(null);
  const id = openId.value;
  // A phone's keyboard would cover the suggestions, so only a mouse or trackpad gets the caret
  // unasked: at the start and with every other chat.
  useEffect(() => {
    const isBusyElsewhere = document.querySelector('dialog[open]') !== null;
    if (matchMedia('(pointer: fine)').matches && !isBusyElsewhere) box.current?.focus();
  }, [id]);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        sendDraft();
      }}
    >
      <LazyChat part="PromptMenu" />
      <LazyChat part="AttachedFiles" />
      <LazyChat part="PromptButton" />
      <textarea
        ref={box}
        id={COMPOSER_ID}
        rows={1}
        aria-label={words.value.composer.label}
        placeholder={words.value.composer.placeholder(modelName(selectedModel.value))}
        value={draft}
        enterkeyhint={sendKey.value === 'enter' ? 'send' : 'enter'}
        autocomplete="off"
        onInput={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <LazyChat part="AttachButton" />
      <StopOrSend />
    </form>
  );
}
