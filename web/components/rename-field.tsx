import { useEffect, useRef } from 'preact/hooks';
import { historyWords } from '../i18n/history';
import type { Head } from '../state/heads';
import { finishRenaming, rename } from '../state/history-menu';

/** The name of a conversation as a text field: Enter and leaving it keep the name, Esc does not. */
export function RenameField({ head }: { readonly head: Head }) {
  const field = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => field.current?.select(), []);
  const end = (isKept: boolean): void => {
    // taking the field away makes it lose the focus, which is no second answer
    if (isDone.current) return;
    isDone.current = true;
    if (isKept) rename(head.id, field.current?.value ?? '');
    finishRenaming(head.id);
  };
  return (
    <li class="history-item history-item-rename">
      <input
        ref={field}
        type="text"
        maxLength={120}
        aria-label={historyWords.value.renameLabel}
        defaultValue={head.title}
        onBlur={() => end(true)}
        onKeyDown={(event) => {
          if (event.isComposing || (event.key !== 'Enter' && event.key !== 'Escape')) return;
          event.preventDefault();
          event.stopPropagation();
          end(event.key === 'Enter');
        }}
      />
    </li>
  );
}
