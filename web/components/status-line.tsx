import { words } from '../i18n/locale';
import { LazyNotice } from '../pwa/lazy-notices';
import { Icon } from './icon';
import { LazyChat } from './lazy-chat';

/** Under the message box: the promise of privacy, and how full the context and the attention memory are. */
export function StatusLine() {
  return (
    <div class="status-line">
      <span class="privacy">
        <Icon name="lock" />
        {words.value.page.privacy}
        <LazyNotice part="OfflineBadge" />
      </span>
      <span class="status-numbers">
        <LazyChat part="TemporaryToggle" />
        <LazyChat part="ContextMeter" />
        <LazyChat part="EnginePanel" />
      </span>
    </div>
  );
}
