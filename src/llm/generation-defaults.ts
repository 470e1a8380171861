import type { SamplingParams } from '../engine/sampling-params';
import type { ChatRequest, GenerateRequest } from '../protocol';

/** What a checkpoint's generation_config.json says about sampling. */
export interface GenerationDefaults {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly maxNewTokens: number | null;
}

/** Fields that are missing or no numbers take transformers' neutral values; `do_sample: false` means greedy. */
export function generationDefaults(generationConfig: Readonly<Record<string, unknown>>): GenerationDefaults {
  const number = (key: string, otherwise: number) => {
    const value = generationConfig[key];
    return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
  };
  const maxNewTokens = number('max_new_tokens', 0);
  return {
    temperature: generationConfig.do_sample === true ? number('temperature', 1) : 0,
    topK: number('top_k', 0),
    topP: number('top_p', 1),
    minP: number('min_p', 0),
    repetitionPenalty: number('repetition_penalty', 1),
    maxNewTokens: maxNewTokens > 0 ? maxNewTokens : null,
  };
}

/** A u32. */
export function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** A request's own values before the model's; without a seed every request draws a new one. */
export function samplingParams(
  request: Omit<ChatRequest, 'messages'> | Omit<GenerateRequest, 'ids'>,
  defaults: GenerationDefaults,
  roomTokens: number,
): SamplingParams {
  return {
    temperature: request.temperature ?? defaults.temperature,
    topK: request.top_k ?? defaults.topK,
    topP: request.top_p ?? defaults.topP,
    minP: request.min_p ?? defaults.minP,
    repetitionPenalty: request.repetition_penalty ?? defaults.repetitionPenalty,
    seed: request.seed ?? drawSeed(),
    maxTokens: request.max_tokens ?? defaults.maxNewTokens ?? Math.max(1, roomTokens),
    stopTokenIds: [],
    ignoreEos: request.ignore_eos ?? false,
  };
}
