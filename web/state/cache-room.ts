import { computed, signal } from '@preact/signals';
import { engine, loadedChoice, loadOptions, modelRef, modelState, stats } from './engine';
import { type LoadChoice, loadChoice } from './load-settings';
import { selectedModel } from './models';

/** What a KV cache holds. `tokens` is null while it is not known how many bytes one takes. */
export interface CacheRoom {
  readonly bytes: number;
  readonly tokens: number | null;
}

export type RoomPreview = CacheRoom | 'looking' | 'too-big' | null;

/** Of the model that is loaded; null without one. */
export const roomNow = computed<CacheRoom | null>(() => {
  const current = stats.value;
  if (current === null || current.kvBlocksTotal === 0) return null;
  return { bytes: current.kvBytes, tokens: current.kvBlocksTotal * current.kvBlockTokens };
});

/** With the settings as they are now, once the model is loaded again. */
export const roomThen = signal<RoomPreview>(null);

/** The model is loaded with other settings than those chosen. */
export const needsReload = computed(() => {
  if (modelState.value.status !== 'ready') return false;
  return !isSame(loadedChoice.value, loadChoice(selectedModel.value.id));
});

function isSame(one: LoadChoice, other: LoadChoice): boolean {
  return (['contextLength', 'kvBits', 'cacheMaxEntryCount', 'math'] as const).every(
    (name) => one[name] === other[name],
  );
}

let asked = 0;

/** Asks the engine how large the cache would be. Rejects with what `inspect` refuses. */
export async function lookAtRoom(): Promise<void> {
  const mine = ++asked;
  const model = selectedModel.value;
  roomThen.value = 'looking';
  try {
    const { kvBytes, fits } = await engine().inspect(await modelRef(model), loadOptions(model));
    if (mine !== asked) return;
    const tokens = tokensIn(kvBytes, loadChoice(model.id).kvBits);
    roomThen.value = fits === 'too-big' ? 'too-big' : { bytes: kvBytes, tokens };
  } catch (thrown) {
    if (mine === asked) roomThen.value = null;
    throw thrown;
  }
}

/** An estimate where the bits differ: scales and offsets are counted as if they shrank with the codes. */
function tokensIn(bytes: number, kvBits: number | undefined): number | null {
  const state = modelState.value;
  const perToken = stats.value?.kvBytesPerToken ?? 0;
  if (state.status !== 'ready' || perToken === 0) return null;
  const bits = kvBits ?? state.info.kvBits;
  return Math.floor((bytes * state.info.kvBits) / (perToken * bits));
}
