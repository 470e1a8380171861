import './pwa.css';
import { IconButton } from '../components/icon-button';
import { pwaWords } from '../i18n/pwa';
import { isOnline } from './connection';
import { canInstall, install } from './install-offer';
import { postponeUpdate, takeUpdate, update } from './version';

export { startServiceWorker } from './version';

/** Says that a new version is there. It only offers: nothing reloads before a click, nor while an answer is written. */
export function UpdateToast() {
  const words = pwaWords.value.update;
  const state = update.value;
  return (
    <div class="update-place" role="status">
      {state !== 'none' && (
        <div class="update-toast">
          <span>{state === 'asked' ? words.waits : words.title}</span>
          {state === 'ready' && (
            <>
              <button type="button" class="button" onClick={takeUpdate}>
                {words.reload}
              </button>
              <IconButton icon="close" label={words.later} onClick={postponeUpdate} />
            </>
          )}
        </div>
      )}
    </div>
  );
}

export function OfflineBadge() {
  const words = pwaWords.value;
  if (isOnline.value) return null;
  return (
    <span class="badge offline-badge" title={words.offlineHint}>
      {words.offline}
    </span>
  );
}

/** iOS installs pages only from its share sheet, and never offers it. */
function isIosBrowser(): boolean {
  const isIos = /iPhone|iPad|iPod/.test(navigator.userAgent);
  return isIos && !matchMedia('(display-mode: standalone)').matches;
}

/** A row for the settings; nothing where the page is installed or cannot be. */
export function InstallRow() {
  const words = pwaWords.value.install;
  if (!canInstall() && !isIosBrowser()) return null;
  return (
    <div class="install-row">
      <span>
        {words.title}
        <small>{canInstall() ? words.hint : words.onIos}</small>
      </span>
      {canInstall() && (
        <button type="button" class="button button-quiet" onClick={() => void install()}>
          {words.button}
        </button>
      )}
    </div>
  );
}
