import { useLayoutEffect, useRef } from 'preact/hooks';
import { historyWords } from '../i18n/history';
import { isDrawerOpen, openDialog } from '../state/dialog';
import { isNarrow } from '../state/screen';
import { isSidebarOpen } from '../state/settings';
import { DRAWINGS } from './drawings';
import { HistoryList } from './history-list';
import { Icon } from './icon';
import { IconButton } from './icon-button';
import { openModal } from './modal';

function Content({ onClose }: { readonly onClose?: () => void }) {
  const text = historyWords.value;
  return (
    <>
      <div class="sidebar-head">
        <h2>{text.title}</h2>
        <IconButton
          icon={DRAWINGS.help}
          label={text.shortcuts.open}
          class="sidebar-help"
          onClick={() => {
            openDialog.value = 'shortcuts';
          }}
        />
        {onClose !== undefined && <IconButton icon="close" label={text.hide} onClick={onClose} />}
      </div>
      <button
        type="button"
        class="sidebar-search"
        onClick={() => {
          openDialog.value = 'search';
        }}
      >
        <Icon name={DRAWINGS.search} />
        {text.search.open}
      </button>
      <HistoryList />
    </>
  );
}

function close(): void {
  isDrawerOpen.value = false;
}

/** Slides over the page on a small screen. */
function Drawer() {
  const drawer = useRef<HTMLDialogElement>(null);
  const isOpen = isDrawerOpen.value;
  useLayoutEffect(() => {
    if (drawer.current === null) return;
    if (isOpen) openModal(drawer.current);
    else if (drawer.current.open) drawer.current.close();
  }, [isOpen]);
  return (
    <dialog ref={drawer} class="drawer" aria-label={historyWords.value.title} onClose={close}>
      <div class="sidebar">{isOpen && <Content onClose={close} />}</div>
    </dialog>
  );
}

/** The list of chats: beside the chat, or over it where there is no room. */
export function Sidebar() {
  if (isNarrow.value) return <Drawer />;
  if (!isSidebarOpen.value) return null;
  return (
    <nav class="sidebar" aria-label={historyWords.value.title}>
      <Content />
    </nav>
  );
}
