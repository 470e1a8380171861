import { useRef, useState } from 'preact/hooks';
import { historyWords } from '../i18n/history';
import { words } from '../i18n/locale';
import type { Head } from '../state/heads';
import { menuButtonId, renaming, setPinned } from '../state/history-menu';
import { removeConversation } from '../state/removal';
import { DRAWINGS } from './drawings';
import { type Drawing, Icon, type IconName } from './icon';

interface ActionProps {
  readonly icon: IconName | Drawing;
  readonly label: string;
  readonly onClick: () => void;
  readonly isBad?: boolean;
}

/** Every action closes the menu, so that a rename or an undo has the focus to itself. */
function Action({ icon, label, onClick, isBad = false }: ActionProps) {
  return (
    <button
      type="button"
      class={isBad ? 'action action-bad' : 'action'}
      onClick={(event) => {
        event.currentTarget.closest<HTMLElement>('[popover]')?.hidePopover();
        onClick();
      }}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

async function saveJson(head: Head): Promise<void> {
  const { exportJson } = await import('../state/export-file');
  await exportJson(head.title, [head]);
}

async function saveMarkdown(head: Head): Promise<void> {
  const { exportMarkdown } = await import('../state/export-file');
  await exportMarkdown(head.title, words.value.chat, [head]);
}

function Actions({ head }: { readonly head: Head }) {
  const text = historyWords.value;
  return (
    <>
      <Action
        icon={DRAWINGS.pencil}
        label={text.rename}
        onClick={() => {
          renaming.value = head.id;
        }}
      />
      <Action
        icon={head.isPinned ? DRAWINGS.unpin : DRAWINGS.pin}
        label={head.isPinned ? text.unpin : text.pin}
        onClick={() => setPinned(head.id, !head.isPinned)}
      />
      <Action icon={DRAWINGS.download} label={text.exportJson} onClick={() => void saveJson(head)} />
      <Action icon={DRAWINGS.download} label={text.exportMarkdown} onClick={() => void saveMarkdown(head)} />
      <Action icon="trash" label={text.remove} isBad onClick={() => void removeConversation(head)} />
    </>
  );
}

/** Room that the menu needs below its button. */
const MENU_PX = 250;

/** Opens, beside itself, what can be done with a conversation. */
export function HistoryMenuButton({ head }: { readonly head: Head }) {
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setIsOpen] = useState(false);
  const id = `history-actions-${head.id}`;
  const label = historyWords.value.menu(head.title);
  const place = (menu: HTMLElement): void => {
    const at = button.current?.getBoundingClientRect();
    if (at === undefined) return;
    menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - 232))}px`;
    menu.style.top = `${Math.min(at.bottom + 4, innerHeight - MENU_PX)}px`;
  };
  return (
    <>
      <button
        ref={button}
        id={menuButtonId(head.id)}
        type="button"
        class="icon-button history-more"
        aria-label={label}
        popovertarget={id}
      >
        <Icon name={DRAWINGS.more} />
      </button>
      <div
        id={id}
        class="actions"
        popover="auto"
        role="dialog"
        aria-label={label}
        onBeforeToggle={(event) => {
          if (event.newState === 'open') place(event.currentTarget);
        }}
        onToggle={(event) => setIsOpen(event.newState === 'open')}
      >
        {isOpen && <Actions head={head} />}
      </div>
    </>
  );
}
