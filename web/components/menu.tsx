import type { ComponentChildren } from 'preact';
import { words } from '../i18n/locale';
import { IconButton } from './icon-button';

export interface MenuProps {
  readonly id: string;
  readonly title: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly onOpen?: () => void;
}

export function closeMenu(id: string): void {
  document.getElementById(id)?.hidePopover();
}

/** A popover under the top bar, a sheet from below on a phone. The browser closes it on Esc and on a click outside. */
export function Menu({ id, title, children, class: extra, onOpen }: MenuProps) {
  return (
    <div
      id={id}
      class={extra === undefined ? 'menu' : `menu ${extra}`}
      popover="auto"
      role="dialog"
      aria-label={title}
      onToggle={(event) => {
        if (event.newState === 'open') onOpen?.();
      }}
    >
      <div class="menu-head">
        <h2>{title}</h2>
        <IconButton icon="close" label={words.value.settings.close} onClick={() => closeMenu(id)} />
      </div>
      {children}
    </div>
  );
}
