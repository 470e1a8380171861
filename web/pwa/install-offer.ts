import { signal } from '@preact/signals';

/** The browser's offer to install the page. Only Chromium makes one. */
interface InstallEvent extends Event {
  prompt(): Promise<{ readonly outcome: 'accepted' | 'dismissed' }>;
}

const offered = signal<InstallEvent | null>(null);

const isInstallEvent = (event: Event): event is InstallEvent => 'prompt' in event;

/** The offer comes once and early, so this stands in the page from the start. */
export function watchInstallOffer(): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    if (isInstallEvent(event)) offered.value = event;
  });
  addEventListener('appinstalled', () => {
    offered.value = null;
  });
}

export function canInstall(): boolean {
  return offered.value !== null;
}

/** Shows the browser's own question. It may be asked once for each offer. */
export async function install(): Promise<void> {
  const event = offered.value;
  offered.value = null;
  await event?.prompt();
}
