import { effect, signal } from '@preact/signals';
import {
  type CachedModel,
  createEngine,
  type Engine,
  type EngineStats,
  type LoadProgress,
  type ModelInfo,
  type ModelRef,
  TabmindError,
} from '../../src/index';
import { words } from '../i18n/locale';
import { announce } from './announcement';
import { modelName, selectedModel, selectModel } from './models';

export type ModelState =
  | { readonly status: 'idle' }
  | { readonly status: 'loading'; readonly progress: LoadProgress | null }
  | { readonly status: 'ready'; readonly info: ModelInfo }
  | { readonly status: 'failed'; readonly error: TabmindError };

export const modelState = signal<ModelState>({ status: 'idle' });
export const stats = signal<EngineStats | null>(null);
export const cachedModels = signal<readonly CachedModel[]>([]);

let shared: Engine | null = null;
let loading: AbortController | null = null;
/** Settles when the load before has let go of the engine; never rejects. */
let lastLoad: Promise<void> = Promise.resolve();

/** The one engine of this page. Its worker starts on first use, after the first paint. */
export function engine(): Engine {
  shared ??= createEngine();
  return shared;
}

/** Loads `model` in place of the current one; what was loading is given up first. Failures land in `modelState`. */
export function loadModel(model: ModelRef = selectedModel.value): Promise<void> {
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  selectModel(model);
  stats.value = null;
  modelState.value = { status: 'loading', progress: null };
  lastLoad = lastLoad.then(() => runLoad(model, controller));
  return lastLoad;
}

async function runLoad(model: ModelRef, controller: AbortController): Promise<void> {
  if (loading !== controller) return;
  try {
    const info = await engine().load(model, {
      signal: controller.signal,
      onProgress: (progress) => {
        if (loading === controller) modelState.value = { status: 'loading', progress };
      },
    });
    if (loading !== controller) return;
    await Promise.all([refreshStats(), refreshCached()]);
    modelState.value = { status: 'ready', info };
    announce(words.value.load.ready(modelName(model)));
  } catch (thrown) {
    if (loading === controller) failLoad(TabmindError.from(thrown));
  } finally {
    if (loading === controller) loading = null;
  }
}

/** The model is out of reach for this reason; the page shows it with its remedy. */
export function failLoad(error: TabmindError): void {
  if (error.code === 'internal') replaceEngine();
  modelState.value = { status: 'failed', error };
  announce(words.value.error.texts[error.code].title);
}

export function cancelLoad(): void {
  if (loading === null) return;
  loading.abort();
  loading = null;
  modelState.value = { status: 'idle' };
  announce(words.value.load.canceled);
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

/** Resolves when the selected model can answer, loading it when nothing is. Rejects with the load's error or the abort. */
export function whenReady(signal: AbortSignal): Promise<ModelInfo> {
  const { status } = modelState.value;
  if (status === 'idle' || status === 'failed') void loadModel();
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (outcome: () => void): void => {
      settled = true;
      outcome();
      queueMicrotask(() => stop());
    };
    const stop = effect(() => {
      const state = modelState.value;
      if (settled) return;
      if (state.status === 'ready') settle(() => resolve(state.info));
      else if (state.status === 'failed') settle(() => reject(state.error));
      else if (state.status === 'idle')
        settle(() => reject(signal.reason ?? new DOMException('', 'AbortError')));
    });
    signal.addEventListener('abort', () => settle(() => reject(signal.reason)), { once: true });
  });
}

/** Numbers for the foot of the page. */
export async function refreshStats(): Promise<void> {
  stats.value = await engine().stats();
}

export async function refreshCached(): Promise<void> {
  cachedModels.value = await engine().listCached();
}

/** Frees the stored weights of `model`; it stays usable until the page is closed. */
export async function deleteStored(model: ModelRef): Promise<void> {
  for (const cached of cachedModels.value) {
    if (cached.id === model.id) await engine().deleteCached(cached.key);
  }
  await refreshCached();
}
