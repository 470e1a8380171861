import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { words } from '../i18n/locale';
import { announce } from '../state/announcement';
import { openDialog } from '../state/dialog';

const dialogs = signal<typeof import('./dialogs') | null>(null);

async function loadDialogs(): Promise<void> {
  try {
    dialogs.value = await import('./dialogs');
  } catch (thrown) {
    console.warn('tabmind could not fetch the dialogs.', thrown);
    openDialog.value = null;
    announce(words.value.models.unreachable);
  }
}

/** The dialog that is open, fetched when the first one is wanted. */
export function LazyDialog() {
  const name = openDialog.value;
  useEffect(() => {
    if (name !== null && dialogs.value === null) void loadDialogs();
  }, [name]);
  if (name === null || dialogs.value === null) return null;
  const Component = dialogs.value.DIALOGS[name];
  return <Component />;
}
