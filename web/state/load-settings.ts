import { signal } from '@preact/signals';
import type { LoadOptions } from '../../src/index';
import { fieldsOf, readLocalRecord, writeLocalRecord } from '../storage/local-record';

export const KV_BITS = [4, 8, 16] as const;

/** What the person chose about a model's memory and arithmetic; a field that is missing is left to the engine. */
export type LoadChoice = Pick<LoadOptions, 'contextLength' | 'cacheMaxEntryCount'> & {
  readonly kvBits?: (typeof KV_BITS)[number];
  /** No 16-bit arithmetic although the card offers it. */
  readonly math?: 'f32';
};

const KEY = 'memory';
const byModel = signal(readLocalRecord(KEY) ?? {});

/** Fields that make no sense are left to the engine. */
function readLoadChoice(value: unknown): LoadChoice {
  const fields = fieldsOf(value);
  const { contextLength, cacheMaxEntryCount: share } = fields;
  const kvBits = KV_BITS.find((bits) => bits === fields.kvBits);
  const isLength = typeof contextLength === 'number' && Number.isInteger(contextLength) && contextLength > 0;
  const isShare = typeof share === 'number' && share > 0 && share <= 1;
  return {
    ...(isLength ? { contextLength } : {}),
    ...(kvBits === undefined ? {} : { kvBits }),
    ...(isShare ? { cacheMaxEntryCount: share } : {}),
    ...(fields.math === 'f32' ? { math: 'f32' } : {}),
  };
}

/** What was chosen for the model with this id. */
export const loadChoice = (model: string): LoadChoice => readLoadChoice(byModel.value[model]);

/** Chooses the longest conversation, in tokens, and leaves the other choices as they are. */
export function chooseContext(model: string, contextLength: number): void {
  changeLoadChoice(model, { ...loadChoice(model), contextLength });
}

/** Takes effect when the model is loaded next. */
export function changeLoadChoice(model: string, choice: LoadChoice): void {
  byModel.value = { ...readLocalRecord(KEY), [model]: choice };
  writeLocalRecord(KEY, byModel.value);
}
