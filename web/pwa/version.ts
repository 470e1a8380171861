import { effect, signal } from '@preact/signals';
import { generating } from '../state/conversation';
import { cachedModels, modelState, refreshCached } from '../state/engine';
import { STARTER } from '../state/models';
import { offer } from '../state/offer';
import type { WorkerMessage } from './message';

/** `asked`: the person wants it, and an answer is still being written. */
export type Update = 'none' | 'ready' | 'asked';

export const update = signal<Update>('none');

const CHECK_EVERY_MS = 60 * 60_000;

let waiting: ServiceWorker | null = null;

const tell = (worker: ServiceWorker | null, message: WorkerMessage): void => worker?.postMessage(message);

/** Registers the service worker. Browsers refuse in some private windows: then the page works, but only online. */
export async function startServiceWorker(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const isFirstVisit = navigator.serviceWorker.controller === null;
  try {
    const registration = await navigator.serviceWorker.register('./sw.js');
    watchVersions(registration);
    keepStarterUsable(registration);
  } catch (thrown) {
    console.warn('tabmind could not be prepared for use without a network.', thrown);
    return;
  }
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (update.value === 'asked') location.reload();
    // another tab has taken the new version
    else if (!isFirstVisit) offerUpdate(null);
  });
}

function offerUpdate(worker: ServiceWorker | null): void {
  waiting = worker;
  if (update.value === 'none') update.value = 'ready';
}

function watchVersions(registration: ServiceWorkerRegistration): void {
  if (registration.waiting !== null && registration.active !== null) offerUpdate(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'installed' && registration.active !== null) offerUpdate(installing);
    });
  });
  setInterval(() => {
    // offline it fails, and the next one will do
    if (document.visibilityState === 'visible') registration.update().catch(() => undefined);
  }, CHECK_EVERY_MS);
}

/** Reloads into the new version, once no answer is being written. */
export function takeUpdate(): void {
  if (update.value !== 'ready') return;
  update.value = 'asked';
  const stop = effect(() => {
    if (generating.value.size > 0) return;
    queueMicrotask(() => {
      stop();
      reloadInto(waiting);
    });
  });
}

/** A page of the first visit is not controlled and hears of no new controller, so it waits for the worker itself. */
function reloadInto(worker: ServiceWorker | null): void {
  if (worker?.state !== 'installed') {
    location.reload();
    return;
  }
  worker.addEventListener('statechange', () => {
    if (worker.state === 'activated') location.reload();
  });
  tell(worker, 'take-over');
}

export function postponeUpdate(): void {
  update.value = 'none';
}

/**
 * The starter must answer without a network after the first visit. Loading it does that, as its converted weights stay in
 * IndexedDB; for someone who loads another model first, the service worker keeps the files instead. Looked at once a
 * visit, so that a starter removed on purpose does not come back at once.
 */
function keepStarterUsable(registration: ServiceWorkerRegistration): void {
  let wasLoading = false;
  const stop = effect(() => {
    const { status } = modelState.value;
    const isUndecided = status === 'idle' && offer.value === null && !wasLoading;
    wasLoading ||= status === 'loading';
    if (isUndecided || status === 'loading') return;
    queueMicrotask(() => stop());
    tellAboutStarter(registration).catch((thrown: unknown) =>
      console.warn('tabmind could not make sure that its starter model works without a network.', thrown),
    );
  });
}

async function tellAboutStarter(registration: ServiceWorkerRegistration): Promise<void> {
  await refreshCached();
  await navigator.serviceWorker.ready;
  const isStored = cachedModels.value.some(
    ({ id, revision, complete }) => id === STARTER.id && revision === STARTER.revision && complete,
  );
  tell(registration.active, isStored ? 'drop-starter' : 'keep-starter');
}
