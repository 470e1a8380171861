import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';

type Notices = typeof import('./notices');
type Part = {
  [Name in keyof Notices]: Notices[Name] extends FunctionComponent ? Name : never;
}[keyof Notices];

const notices = signal<Notices | null>(null);

/** Everything about being installed and offline comes after the first paint; without it the page works online. */
export async function loadNotices(): Promise<void> {
  try {
    const loaded = await import('./notices');
    notices.value = loaded;
    if (import.meta.env.PROD) await loaded.startServiceWorker();
  } catch (thrown) {
    console.warn('tabmind could not fetch the part that works offline.', thrown);
  }
}

/** One component of them, as soon as it is there. */
export function LazyNotice({ part }: { readonly part: Part }) {
  const Component = notices.value?.[part];
  return Component === undefined ? null : <Component />;
}
