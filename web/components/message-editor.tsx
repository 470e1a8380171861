import { useEffect, useRef, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { isSendKey } from '../state/send-key';

export interface MessageEditorProps {
  readonly label: string;
  readonly text: string;
  readonly confirm: string;
  readonly hint?: string;
  /** It cannot be confirmed now. Default false. */
  readonly isOff?: boolean;
  readonly onConfirm: (text: string) => void;
  readonly onCancel: () => void;
}

/** A message as a text box. The send key confirms, Esc gives up. */
export function MessageEditor(props: MessageEditorProps) {
  const { label, text, confirm, hint, isOff = false, onConfirm, onCancel } = props;
  const box = useRef<HTMLTextAreaElement>(null);
  const [value, setValue] = useState(text);
  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, []);
  const submit = (): void => {
    if (value.trim() !== '' && !isOff) onConfirm(value);
  };
  return (
    <form
      class="message-editor"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={box}
        aria-label={label}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && !event.isComposing) {
            // this Esc is for the box, not for an answer that streams
            event.stopPropagation();
            onCancel();
          } else if (isSendKey(event)) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <div class="message-editor-foot">
        {hint !== undefined && <small>{hint}</small>}
        <button type="button" class="button button-quiet" onClick={onCancel}>
          {chatWords.value.edit.cancel}
        </button>
        <button type="submit" class="button" disabled={isOff || value.trim() === ''}>
          {confirm}
        </button>
      </div>
    </form>
  );
}
