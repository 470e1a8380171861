// The service worker: the page's own files, so that it opens without a network. It never touches converted weights, which
// the engine keeps in IndexedDB, nor any request to another host.
import { cleanupOutdatedCaches, precacheAndRoute } from 'workbox-precaching';
import { registerRoute } from 'workbox-routing';
import type { WorkerMessage } from './message';
import { StarterCopy, type StarterFiles } from './starter-copy';
import type { WorkerScope } from './worker-scope';

declare const self: WorkerScope;
/** Filled in by the build (precache.mjs). */
declare const __PAGE_FILES__: readonly { readonly url: string; readonly revision: string | null }[];
declare const __STARTER__: StarterFiles;

const starter = new StarterCopy(__STARTER__, self.registration.scope, caches);

const deeds: Readonly<Record<WorkerMessage, () => Promise<void>>> = {
  'take-over': () => self.skipWaiting(),
  'keep-starter': () => starter.keep(),
  'drop-starter': () => starter.drop(),
};

// a query chooses a model or a chat, never another file
precacheAndRoute([...__PAGE_FILES__], { ignoreURLParametersMatching: [/.*/], cleanURLs: false });
cleanupOutdatedCaches();

registerRoute(
  ({ url }) => starter.holds(url),
  async ({ request }) => (await starter.answer(request)) ?? fetch(request),
);

self.addEventListener('message', (event) => {
  const deed = Object.entries(deeds).find(([name]) => name === event.data)?.[1];
  if (deed !== undefined) event.waitUntil(deed());
});
