import { formatBytes, formatCount } from '../i18n/format';
import { words } from '../i18n/locale';
import { LazyNotice } from '../pwa/lazy-notices';
import { stats } from '../state/engine';
import { Icon } from './icon';

/** Under the message box: the promise of privacy, and how full the attention memory is. */
export function StatusLine() {
  const current = stats.value;
  const { numbers, page } = words.value;
  const used = formatCount(current?.kvBlocksUsed ?? 0);
  const total = formatCount(current?.kvBlocksTotal ?? 0);
  return (
    <div class="status-line">
      <span class="privacy">
        <Icon name="lock" />
        {page.privacy}
        <LazyNotice part="OfflineBadge" />
      </span>
      {current !== null && current.kvBlocksTotal > 0 && (
        <span
          class="kv-blocks"
          title={numbers.kvHint(formatCount(current.kvBlockTokens), formatBytes(current.kvBytes))}
        >
          <span class="wide">{numbers.kv(used, total)}</span>
          <span class="narrow">{numbers.kvShort(used, total)}</span>
        </span>
      )}
    </div>
  );
}
