import { computed, signal } from '@preact/signals';
import type { ChatRequest, GenerationDefaults } from '../../src/index';
import { fieldsOf, readLocalRecord, writeLocalRecord } from '../storage/local-record';
import { selectedModel } from './models';
import { greedy } from './settings';

/** What the person chose instead of the model's own; a field that is missing is the model's. */
export interface Sampling {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly maxTokens?: number;
  readonly seed?: number;
  /** Texts that end an answer. */
  readonly stop?: readonly string[];
}

export type SamplingNumber = Exclude<keyof Sampling, 'stop'>;

/** What the engine accepts. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export const SAMPLING_RANGES: Readonly<Record<SamplingNumber, Range>> = {
  temperature: { min: 0, max: 2, step: 0.05 },
  topP: { min: 0.05, max: 1, step: 0.01 },
  topK: { min: 0, max: 1024, step: 1 },
  minP: { min: 0, max: 1, step: 0.01 },
  repetitionPenalty: { min: 0.5, max: 2, step: 0.01 },
  frequencyPenalty: { min: -2, max: 2, step: 0.05 },
  presencePenalty: { min: -2, max: 2, step: 0.05 },
  maxTokens: { min: 1, max: 1_048_576, step: 1 },
  seed: { min: 0, max: 4_294_967_295, step: 1 },
};

export const SAMPLING_NUMBERS = Object.keys(SAMPLING_RANGES) as readonly SamplingNumber[];

const KEY = 'sampling';

/** Fields that are no numbers in their range are the model's own. */
function readSampling(value: unknown): Sampling {
  const fields = fieldsOf(value);
  const numbers = SAMPLING_NUMBERS.flatMap((name) => {
    const number = fields[name];
    const { min, max } = SAMPLING_RANGES[name];
    return typeof number === 'number' && number >= min && number <= max ? [[name, number] as const] : [];
  });
  const { stop } = fields;
  const texts = Array.isArray(stop) ? stop.filter((text) => typeof text === 'string' && text !== '') : [];
  return { ...Object.fromEntries(numbers), ...(texts.length > 0 ? { stop: texts } : {}) };
}

const byModel = signal(readLocalRecord(KEY) ?? {});

/** The settings for the model that answers. */
export const sampling = computed(() => readSampling(byModel.value[selectedModel.value.id]));

/** Changes one setting of the selected model; `undefined` gives it back to the model. */
export function changeSampling<Name extends keyof Sampling>(
  name: Name,
  value: Sampling[Name] | undefined,
): void {
  const { [name]: _, ...others } = sampling.value;
  keep(value === undefined ? others : { ...others, [name]: value });
}

export function resetSampling(): void {
  keep({});
}

function keep(next: Sampling): void {
  byModel.value = { ...readLocalRecord(KEY), [selectedModel.value.id]: next };
  writeLocalRecord(KEY, byModel.value);
}

/** What a field that is left empty stands for: a number of the model, 'random', or 'unlimited' within the context. */
export function ownSetting(
  name: SamplingNumber,
  defaults: GenerationDefaults,
): number | 'random' | 'unlimited' {
  if (name === 'seed') return 'random';
  if (name === 'maxTokens') return defaults.maxNewTokens ?? 'unlimited';
  return name === 'frequencyPenalty' || name === 'presencePenalty' ? 0 : defaults[name];
}

/** OpenAI's names for it. A penalty of 0 is none and is not sent. */
export function samplingFields(chosen: Sampling): Omit<ChatRequest, 'messages'> {
  const named = {
    temperature: greedy.value ? 0 : chosen.temperature,
    top_p: chosen.topP,
    top_k: chosen.topK,
    min_p: chosen.minP,
    repetition_penalty: chosen.repetitionPenalty,
    frequency_penalty: chosen.frequencyPenalty || undefined,
    presence_penalty: chosen.presencePenalty || undefined,
    max_tokens: chosen.maxTokens,
    seed: chosen.seed,
    stop: chosen.stop,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
