import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/locale';
import { openDialog } from '../state/dialog';
import { IconButton } from './icon-button';
import { openModal } from './modal';

export interface DialogProps {
  readonly title: string;
  readonly class: string;
  readonly children: ComponentChildren;
}

/** A modal dialog. However it is closed, the browser gives the focus back to what had it before. */
export function Dialog({ title, class: extra, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (box.current !== null) openModal(box.current);
  }, []);
  return (
    <dialog
      ref={box}
      class={`dialog ${extra}`}
      aria-label={title}
      onClose={() => {
        openDialog.value = null;
      }}
    >
      <div class="dialog-box">
        <div class="dialog-head">
          <h2>{title}</h2>
          <IconButton icon="close" label={words.value.settings.close} onClick={() => box.current?.close()} />
        </div>
        {children}
      </div>
    </dialog>
  );
}
