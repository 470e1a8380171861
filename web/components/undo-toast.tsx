import { useEffect, useRef } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { announce } from '../state/announcement';
import { focusComposer } from '../state/message-box';
import { removed, undo } from '../state/removed';
import { IconButton } from './icon-button';

/** Long enough to notice and to reach the button. */
const SHOWN_MS = 12_000;

/** What was deleted last, and the way back. It takes the focus, whose place was deleted, and hands it on when it goes. */
export function UndoToast() {
  const box = useRef<HTMLElement>(null);
  const current = removed.value;
  const { removed: text } = chatWords.value;
  const title = current?.kind === 'conversation' ? text.conversation(current.title) : text.message;
  useEffect(() => {
    if (current === null) return;
    announce(title);
    box.current?.querySelector('button')?.focus();
    const timer = setInterval(() => {
      // whoever has reached it may take their time
      if (box.current?.matches(':hover, :focus-within') && document.hasFocus()) return;
      removed.value = null;
    }, SHOWN_MS);
    return () => clearInterval(timer);
  }, [current]);
  if (current === null) return null;
  const close = (): void => {
    removed.value = null;
    focusComposer();
  };
  return (
    <section ref={box} class="toast" aria-label={title}>
      <span class="toast-text">{title}</span>
      <button
        type="button"
        class="text-button"
        onClick={() => {
          undo();
          focusComposer();
        }}
      >
        {text.undo}
      </button>
      <IconButton icon="close" label={text.close} onClick={close} />
    </section>
  );
}
