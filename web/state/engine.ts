import { signal } from '@preact/signals';
import {
  type CachedModel,
  createEngine,
  type Engine,
  type EngineStats,
  type LoadOptions,
  type LoadProgress,
  type ModelInfo,
  type ModelRef,
  TabmindError,
} from '../../src/index';
import { words } from '../i18n/locale';
import { announce } from './announcement';
import { tokenFor } from './hub';
import { type LoadChoice, loadChoice } from './load-settings';
import {
  addedModels,
  markComplete,
  modelName,
  type PageModel,
  STARTER,
  selectedModel,
  selectModel,
} from './models';

export type ModelState =
  | { readonly status: 'idle' }
  | { readonly status: 'loading'; readonly progress: LoadProgress | null }
  | { readonly status: 'ready'; readonly info: ModelInfo }
  | { readonly status: 'failed'; readonly error: TabmindError };

export const modelState = signal<ModelState>({ status: 'idle' });
export const stats = signal<EngineStats | null>(null);
/** What the model that is loaded was loaded with. */
export const loadedChoice = signal<LoadChoice>({});
export const cachedModels = signal<readonly CachedModel[]>([]);

let shared: Engine | null = null;
let loading: AbortController | null = null;
/** Settles when the load before has let go of the engine; never rejects. */
let lastLoad: Promise<void> = Promise.resolve();
/** Models that the person agreed to download since the page was opened, and did not cancel. */
const accepted = new Set<string>();

/** The one engine of this page. Its worker starts on first use, after the first paint. */
export function engine(): Engine {
  shared ??= createEngine();
  return shared;
}

/** The engine's reference to a model of the page. A folder's files are looked up, so this takes a moment. */
export async function modelRef(model: PageModel): Promise<ModelRef> {
  const { id } = model;
  if (model.kind === 'folder') return (await import('./folder-handles')).folderModel(id);
  const pinned = { id, ...(model.revision === undefined ? {} : { revision: model.revision }) };
  return model.kind === 'url' ? { ...pinned, url: model.url } : { ...pinned, kind: 'hub', host: model.host };
}

export function loadOptions(model: PageModel): LoadOptions {
  const token = tokenFor(model);
  return {
    ...loadChoice(model.id),
    weightBits: model.weightBits,
    ...(token === undefined ? {} : { token }),
  };
}

/** Loads `model` in place of the current one; what was loading is given up first. Failures land in `modelState`. */
export function loadModel(model: PageModel = selectedModel.value): Promise<void> {
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  accepted.add(acceptanceOf(model));
  selectModel(model);
  stats.value = null;
  modelState.value = { status: 'loading', progress: null };
  lastLoad = lastLoad.then(() => runLoad(model, controller));
  return lastLoad;
}

async function runLoad(model: PageModel, controller: AbortController): Promise<void> {
  if (loading !== controller) return;
  loadedChoice.value = loadChoice(model.id);
  try {
    const info = await engine().load(await modelRef(model), {
      ...loadOptions(model),
      signal: controller.signal,
      onProgress: (progress) => {
        if (loading === controller) modelState.value = { status: 'loading', progress };
      },
    });
    if (loading !== controller) return;
    markComplete(model);
    await Promise.all([refreshStats(), refreshCached()]);
    if (loading !== controller) return;
    modelState.value = { status: 'ready', info };
    announce(words.value.load.ready(modelName(model)));
  } catch (thrown) {
    if (loading === controller) failLoad(TabmindError.from(thrown));
  } finally {
    if (loading === controller) loading = null;
  }
}

const acceptanceOf = ({ id, weightBits }: PageModel): string => JSON.stringify([id, weightBits]);

/** Whether loading it needs no question: the person has agreed already, or there is nothing to download. */
export function isAgreed(model: PageModel): boolean {
  if (model.id === STARTER.id || accepted.has(acceptanceOf(model))) return true;
  return model.isComplete && cachedModels.value.some(({ id }) => id === model.id);
}

/** Bytes in the cache of a download of this model that was cut short; 0 where there was none. */
export function interruptedBytes(model: PageModel): number {
  const known = addedModels.value.find(({ id }) => id === model.id);
  if (known === undefined || known.isComplete || known.weightBits !== model.weightBits) return 0;
  return storedBytes(model);
}

/** Bytes in the cache under this model's id. */
export function storedBytes({ id }: PageModel): number {
  return cachedModels.value.reduce((sum, cached) => sum + (cached.id === id ? cached.bytes : 0), 0);
}

/** The model is out of reach for this reason; the page shows it with its remedy. */
export function failLoad(error: TabmindError): void {
  if (error.code === 'internal') replaceEngine();
  modelState.value = { status: 'failed', error };
  announce(words.value.error.texts[error.code].title);
}

/** Resolves when no load writes to the storage any more. */
export function loadsSettled(): Promise<void> {
  return lastLoad;
}

/** Parts that have arrived stay in the cache; the next load goes on from there. */
export function cancelLoad(): void {
  if (loading === null) return;
  loading.abort();
  loading = null;
  accepted.delete(acceptanceOf(selectedModel.value));
  modelState.value = { status: 'idle' };
  announce(words.value.load.canceled);
  lastLoad.then(refreshCached).catch(warnCached);
}

/** The list is only for show here; whatever needs the storage reports its failure itself. */
export function warnCached(thrown: unknown): void {
  console.warn('tabmind could not list the stored models.', thrown);
}

export async function pauseLoad(): Promise<void> {
  await engine().pause();
  announce(words.value.load.paused);
}

export async function resumeLoad(): Promise<void> {
  await engine().resume();
  announce(words.value.load.resumed);
}

/** A worker that crashed answers nothing any more, so the next use gets a new one. */
function replaceEngine(): void {
  shared?.close();
  shared = null;
}

/** After errors that took the model with them: the next question loads it again. */
export function dropModel(error: TabmindError): void {
  if (error.code === 'internal') replaceEngine();
  modelState.value = { status: 'idle' };
  stats.value = null;
}

/** Numbers for the foot of the page. */
export async function refreshStats(): Promise<void> {
  stats.value = await engine().stats();
}

export async function refreshCached(): Promise<void> {
  cachedModels.value = await engine().listCached();
}

/** Frees the stored weights of `model`; it stays usable until the page is closed. */
export async function deleteStored(model: PageModel): Promise<void> {
  for (const cached of cachedModels.value) {
    if (cached.id === model.id) await engine().deleteCached(cached.key);
  }
  await refreshCached();
}
