import { signal } from '@preact/signals';
import type { CachedModel, SavedConversations } from '../../src/index';
import { cachedModels, engine, modelState, refreshCached } from './engine';
import { markIncomplete, selectedModel } from './models';

/** What this page keeps on the computer; null where the browser does not say. */
export interface PageStorage {
  readonly usedBytes: number | null;
  readonly quotaBytes: number | null;
  /** The browser deletes nothing of it by itself. */
  readonly isPersistent: boolean | null;
  readonly conversations: SavedConversations;
}

export const pageStorage = signal<PageStorage | null>(null);
/** The browser was asked to keep the data, and declined. */
export const isKeepingDeclined = signal(false);

export async function refreshStorage(): Promise<void> {
  const storage: StorageManager | undefined = navigator.storage;
  const [, conversations, estimate, isPersistent] = await Promise.all([
    refreshCached(),
    engine().savedConversations(),
    storage?.estimate(),
    storage?.persisted(),
  ]);
  pageStorage.value = {
    usedBytes: estimate?.usage ?? null,
    quotaBytes: estimate?.quota ?? null,
    isPersistent: isPersistent ?? null,
    conversations,
  };
}

export async function askToKeep(): Promise<void> {
  isKeepingDeclined.value = !(await navigator.storage.persist());
  await refreshStorage();
}

/** Weights that a load is reading or writing at this moment. */
export function isBusy({ id }: CachedModel): boolean {
  return modelState.value.status === 'loading' && selectedModel.value.id === id;
}

/** The weights that answer: they stay in memory until the page is closed, whatever becomes of the stored ones. */
export function isInUse({ id, weightBits }: CachedModel): boolean {
  const state = modelState.value;
  return state.status === 'ready' && selectedModel.value.id === id && state.info.weightBits === weightBits;
}

export async function deleteWeights(model: CachedModel): Promise<void> {
  await engine().deleteCached(model.key);
  markIncomplete(model.id);
  await refreshStorage();
}

export async function deleteConversations(): Promise<void> {
  await engine().deleteSavedConversations();
  await refreshStorage();
}

/** All weights but those of a load under way, and all saved conversations. */
export async function deleteEverything(): Promise<void> {
  for (const model of cachedModels.value) {
    if (isBusy(model)) continue;
    await engine().deleteCached(model.key);
    markIncomplete(model.id);
  }
  await deleteConversations();
}
