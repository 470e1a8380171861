import { CapabilityHelp } from './components/capability-help';
import { COMPOSER_ID, Composer } from './components/composer';
import { EmptyState } from './components/empty-state';
import { LazyPicker } from './components/lazy-picker';
import { LiveRegion } from './components/live-region';
import { LoadCard } from './components/load-card';
import { ModelMenu } from './components/model-menu';
import { SettingsMenu } from './components/settings-menu';
import { StatusLine } from './components/status-line';
import { TopBar } from './components/top-bar';
import { Transcript } from './components/transcript';
import { words } from './i18n/locale';
import { LazyNotice } from './pwa/lazy-notices';
import { obstacle } from './state/capability';
import { turns } from './state/conversation';

/** Top bar, then either the chat or what keeps this browser from running one. */
export function App() {
  const isEmpty = turns.value.length === 0;
  return (
    <>
      {obstacle.value === null && (
        <a class="skip" href={`#${COMPOSER_ID}`}>
          {words.value.page.skip}
        </a>
      )}
      <TopBar />
      {obstacle.value === null ? (
        <main class={isEmpty ? 'chat chat-empty' : 'chat'}>
          {isEmpty ? <EmptyState /> : <Transcript />}
          <div class="dock">
            <LoadCard />
            <Composer />
            <StatusLine />
          </div>
        </main>
      ) : (
        <CapabilityHelp obstacle={obstacle.value} />
      )}
      <ModelMenu />
      <SettingsMenu />
      {obstacle.value === null && <LazyPicker part="DropTarget" />}
      <LazyNotice part="UpdateToast" />
      <LiveRegion />
    </>
  );
}
