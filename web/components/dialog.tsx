import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/locale';
import { type DialogName, openDialog } from '../state/dialog';
import { IconButton } from './icon-button';
import { openModal } from './modal';

export interface DialogProps {
  readonly name: DialogName;
  readonly title: string;
  readonly class: string;
  readonly children: ComponentChildren;
}

/** A modal dialog. However it is closed, the browser gives the focus back to what had it before. */
export function Dialog({ name, title, class: extra, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (box.current !== null) openModal(box.current);
  }, []);
  return (
    <dialog
      ref={box}
      class={`dialog ${extra}`}
      aria-label={title}
      onClose={() => {
        // told a moment later, when another dialog may be open already
        if (openDialog.value === name) openDialog.value = null;
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
