import { computed, signal } from '@preact/signals';
import type { HubPreset, WeightBits } from '../../src/index';
import { words } from '../i18n/locale';
import { fieldsOf, type LocalRecord, readLocalRecord, writeLocalRecord } from '../storage/local-record';

interface Entry {
  readonly id: string;
  /** Bits that its weights are packed in. */
  readonly weightBits: WeightBits;
  /** It was loaded to the end with these bits before, so it is most likely in the cache. */
  readonly isComplete: boolean;
}

export interface UrlEntry extends Entry {
  readonly kind: 'url';
  readonly url: string;
  readonly revision?: string;
}

export interface HubEntry extends Entry {
  readonly kind: 'hub';
  readonly host: HubPreset | URL['href'];
  readonly revision?: string;
}

/** The files themselves cannot be kept in a record; `folder-handles` knows them. */
export interface FolderEntry extends Entry {
  readonly kind: 'folder';
}

/** A model as the page keeps it: where it lies and what was chosen for it. */
export type PageModel = UrlEntry | HubEntry | FolderEntry;

export const DEFAULT_WEIGHT_BITS: WeightBits = 4;

/** Ships with the page, so it needs no download and no network; its revision is the start of the weights' SHA-256. */
export const STARTER: UrlEntry = {
  kind: 'url',
  id: 'tabmind/starter',
  revision: '2e30fee83e4aca62',
  url: new URL('./models/starter/', document.baseURI).href,
  weightBits: DEFAULT_WEIGHT_BITS,
  isComplete: true,
};

const KEY = 'models';

/** Null for what is no entry, such as one that was edited by hand. */
function readEntry(value: unknown): PageModel | null {
  const fields = fieldsOf(value);
  const { id, kind, url, host, revision } = fields;
  if (typeof id !== 'string') return null;
  const weightBits = ([4, 8, 16] as const).find((bits) => bits === fields.weightBits) ?? DEFAULT_WEIGHT_BITS;
  const entry = { id, weightBits, isComplete: fields.isComplete === true };
  if (kind === 'folder') return { ...entry, kind };
  const pinned = { ...entry, ...(typeof revision === 'string' ? { revision } : {}) };
  if (kind === 'url') return typeof url === 'string' ? { ...pinned, kind, url } : null;
  return kind === 'hub' && typeof host === 'string' ? { ...pinned, kind, host } : null;
}

const stored = readLocalRecord(KEY) ?? {};

function readEntries({ added }: LocalRecord): readonly PageModel[] {
  return Array.isArray(added) ? added.flatMap((value) => readEntry(value) ?? []) : [];
}

/** Models the person added, newest first. */
export const addedModels = signal(readEntries(stored));

const selectedId = signal(typeof stored.selected === 'string' ? stored.selected : STARTER.id);

export const models = computed<readonly PageModel[]>(() => [STARTER, ...addedModels.value]);

/** The model that answers; the starter when the remembered one was removed. */
export const selectedModel = computed<PageModel>(
  () => models.value.find((model) => model.id === selectedId.value) ?? STARTER,
);

export function selectModel(model: PageModel): void {
  selectedId.value = model.id;
  keep();
}

/** Stores which model is selected, and what `change` makes of the models stored now, which another tab may have changed. */
function keep(change = (known: readonly PageModel[]) => known): void {
  const now = readLocalRecord(KEY);
  addedModels.value = change(now === null ? addedModels.value : readEntries(now));
  writeLocalRecord(KEY, { selected: selectedId.value, added: addedModels.value });
}

/** One entry for each id: adding it again with another revision, host or bits replaces it. */
export function addModel(model: PageModel): void {
  if (model.id !== STARTER.id) keep((known) => [model, ...known.filter(({ id }) => id !== model.id)]);
}

export function markComplete(model: PageModel): void {
  keep((all) => all.map((known) => (known.id === model.id ? { ...known, isComplete: true } : known)));
}

/** Its stored weights are gone, at least in part. */
export function markIncomplete(id: string): void {
  keep((all) => all.map((known) => (known.id === id ? { ...known, isComplete: false } : known)));
}

export function forgetModel(model: PageModel): void {
  keep((all) => all.filter(({ id }) => id !== model.id));
}

/** The name people see: "tabmind starter", or the last part of the id ("Qwen2.5-0.5B-Instruct"). */
export function modelName(model: PageModel): string {
  if (model.id === STARTER.id) return words.value.models.starterName;
  return model.id.split('/').at(-1) ?? model.id;
}
