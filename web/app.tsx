import { CapabilityHelp } from './components/capability-help';
import { Composer } from './components/composer';
import { EmptyState } from './components/empty-state';
import { LazyChat } from './components/lazy-chat';
import { LazyDialog } from './components/lazy-dialog';
import { LazyPicker } from './components/lazy-picker';
import { LiveRegion } from './components/live-region';
import { ModelMenu } from './components/model-menu';
import { StatusLine } from './components/status-line';
import { TopBar } from './components/top-bar';
import { words } from './i18n/locale';
import { LazyNotice } from './pwa/lazy-notices';
import { obstacle } from './state/capability';
import { isOpening, path } from './state/conversation';
import { COMPOSER_ID } from './state/message-box';
import { isNarrow } from './state/screen';
import { isSidebarOpen } from './state/settings';

/** The conversation on screen, or what a new one shows. */
function Chat() {
  const isEmpty = path.value.length === 0 && !isOpening.value;
  return (
    <main class={isEmpty ? 'chat chat-empty' : 'chat'} aria-busy={isOpening.value}>
      {isEmpty ? <EmptyState /> : <LazyChat part="Transcript" isVital />}
      <div class="dock">
        <LazyChat part="KeepNotice" />
        <LazyChat part="LoadCard" />
        <Composer />
        <StatusLine />
      </div>
    </main>
  );
}

/** The list of chats beside top bar and chat, or beside what keeps this browser from running one. */
export function App() {
  const canChat = obstacle.value === null;
  const hasSidebar = canChat && isSidebarOpen.value && !isNarrow.value;
  return (
    <>
      {canChat && (
        <a class="skip" href={`#${COMPOSER_ID}`}>
          {words.value.page.skip}
        </a>
      )}
      <div class={hasSidebar ? 'frame frame-sidebar' : 'frame'}>
        {canChat && <LazyChat part="Sidebar" />}
        <div class="page">
          <TopBar />
          {obstacle.value === null ? <Chat /> : <CapabilityHelp obstacle={obstacle.value} />}
        </div>
      </div>
      <ModelMenu />
      <LazyDialog />
      {canChat && <LazyPicker part="DropTarget" />}
      {canChat && <LazyChat part="UndoToast" />}
      <LazyNotice part="UpdateToast" />
      <LiveRegion />
    </>
  );
}
