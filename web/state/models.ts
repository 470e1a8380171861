import { computed, effect, signal } from '@preact/signals';
import type { ModelRef } from '../../src/index';
import { words } from '../i18n/locale';
import { readLocalRecord, writeLocalRecord } from '../storage/local-record';

/** Ships with the page, so it needs no download and no network; its revision is the start of the weights' SHA-256. */
export const STARTER: ModelRef = {
  id: 'tabmind/starter',
  revision: '2e30fee83e4aca62',
  url: new URL('./models/starter/', document.baseURI).href,
};

const KEY = 'models';

function isModelRef(value: unknown): value is ModelRef {
  if (typeof value !== 'object' || value === null) return false;
  if (!('id' in value && 'url' in value)) return false;
  const revisionFits = !('revision' in value) || typeof value.revision === 'string';
  return typeof value.id === 'string' && typeof value.url === 'string' && revisionFits;
}

const stored = readLocalRecord(KEY) ?? {};

/** Checkpoint folders the person added, newest first. */
export const addedModels = signal<readonly ModelRef[]>(
  Array.isArray(stored.added) ? stored.added.filter(isModelRef) : [],
);

const selectedId = signal(typeof stored.selected === 'string' ? stored.selected : STARTER.id);

export const models = computed<readonly ModelRef[]>(() => [STARTER, ...addedModels.value]);

/** The model that answers; the starter when the remembered one was removed. */
export const selectedModel = computed<ModelRef>(
  () => models.value.find((model) => model.id === selectedId.value) ?? STARTER,
);

export function selectModel(model: ModelRef): void {
  selectedId.value = model.id;
}

export function addModel(model: ModelRef): void {
  const others = addedModels.value.filter((known) => known.id !== model.id);
  if (model.id !== STARTER.id) addedModels.value = [model, ...others];
}

export function forgetModel(model: ModelRef): void {
  addedModels.value = addedModels.value.filter((known) => known.id !== model.id);
}

/** The name people see: "tabmind starter", or the last part of the id ("Qwen2.5-0.5B-Instruct"). */
export function modelName(model: ModelRef): string {
  if (model.id === STARTER.id) return words.value.models.starterName;
  return model.id.split('/').at(-1) ?? model.id;
}

export function keepModels(): () => void {
  return effect(() => {
    writeLocalRecord(KEY, { selected: selectedId.value, added: addedModels.value });
  });
}
