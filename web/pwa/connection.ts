import { signal } from '@preact/signals';

/** False when the browser knows that there is no network; true is only its guess. */
export const isOnline = signal(navigator.onLine);

for (const type of ['online', 'offline'])
  addEventListener(type, () => {
    isOnline.value = navigator.onLine;
  });
