import { useEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/locale';
import { chatNumber, draft, isAnswering, send, stop } from '../state/conversation';
import { modelName, selectedModel } from '../state/models';
import { Icon } from './icon';

export const COMPOSER_ID = 'message';

/** Old browsers report composition only through this key code. */
const COMPOSING_KEY_CODE = 229;

/** Enter sends, except while an input method is composing (Chinese, Japanese, Korean) and with Shift. */
function onKeyDown(event: KeyboardEvent): void {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === COMPOSING_KEY_CODE)
    return;
  event.preventDefault();
  void send(draft.value);
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
        onClick={stop}
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
  const number = chatNumber.value;
  // A phone's keyboard would cover the suggestions, so only a mouse or trackpad gets the caret
  // unasked: at the start and with every new chat.
  useEffect(() => {
    if (matchMedia('(pointer: fine)').matches) box.current?.focus();
  }, [number]);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send(draft.value);
      }}
    >
      <textarea
        ref={box}
        id={COMPOSER_ID}
        rows={1}
        aria-label={words.value.composer.label}
        placeholder={words.value.composer.placeholder(modelName(selectedModel.value))}
        value={draft}
        enterkeyhint="send"
        autocomplete="off"
        onInput={(event) => {
          draft.value = event.currentTarget.value;
        }}
        onKeyDown={onKeyDown}
      />
      <StopOrSend />
    </form>
  );
}
