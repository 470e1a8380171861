import type { SamplingParams } from '../engine/sampling-params';
import { TabmindError } from '../errors';
import type { GenerationDefaults } from '../model-ref';
import type { ChatRequest, GenerateRequest, SamplingRequest } from '../protocol';

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
    minNewTokens: Math.max(0, Math.floor(number('min_new_tokens', 0))),
    maxNewTokens: maxNewTokens > 0 ? maxNewTokens : null,
  };
}

/** A u32. */
export function drawSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** A request as far as the next token depends on it. */
export type TokenRequest = SamplingRequest & { readonly max_tokens?: number };

/** What a request means for one model. */
export interface RequestContext {
  readonly defaults: GenerationDefaults;
  /** Tokens that the context has left behind the prompt. */
  readonly roomTokens: number;
  readonly vocabSize: number;
  readonly badWords: readonly (readonly number[])[];
}

/**
 * A request's own values before the model's; without a seed every request draws a new one. Throws `bad-request` for ids that
 * the vocabulary does not have, and for top_logprobs without logprobs.
 */
export function samplingParams(request: TokenRequest, context: RequestContext): SamplingParams {
  const { defaults, roomTokens, vocabSize, badWords } = context;
  const logitBias = new Map(Object.entries(request.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]));
  const stopTokenIds = request.stop_token_ids ?? [];
  checkIds('logit_bias', [...logitBias.keys()], vocabSize);
  checkIds('stop_token_ids', stopTokenIds, vocabSize);
  checkIds('bad_words', badWords.flat(), vocabSize);
  const maxTokens = request.max_tokens ?? defaults.maxNewTokens ?? Math.max(1, roomTokens);
  return {
    temperature: request.temperature ?? defaults.temperature,
    topK: request.top_k ?? defaults.topK,
    topP: request.top_p ?? defaults.topP,
    minP: request.min_p ?? defaults.minP,
    repetitionPenalty: request.repetition_penalty ?? defaults.repetitionPenalty,
    frequencyPenalty: request.frequency_penalty ?? 0,
    presencePenalty: request.presence_penalty ?? 0,
    logitBias,
    badWords,
    // A model's own least length gives way to a request that wants less.
    minTokens: request.min_tokens ?? Math.min(defaults.minNewTokens, maxTokens),
    topLogprobs: topLogprobs(request),
    speculative: request.speculative ?? 'auto',
    seed: request.seed ?? drawSeed(),
    maxTokens,
    stopTokenIds,
    ignoreEos: request.ignore_eos ?? false,
  };
}

/** How a request wants to be treated among others, in the engine's words. */
export function placeOf(request: ChatRequest | GenerateRequest) {
  const { priority = 0, session, cache_prompt: shares = true } = request;
  return { priority, shares, ...(session === undefined ? {} : { session }) };
}

function topLogprobs({ logprobs, top_logprobs: numTop }: TokenRequest): number | null {
  if (logprobs) return numTop ?? 0;
  if (numTop === undefined) return null;
  throw new TabmindError('bad-request', `top_logprobs is ${numTop}, but logprobs is not set.`, {
    remedy: 'Set logprobs to true, or leave top_logprobs out.',
    details: { top_logprobs: numTop },
  });
}

/** Throws `bad-request` naming the first id that is not in the vocabulary. `where`: what of the request they come from. */
export function checkIds(where: string, ids: readonly number[], vocabSize: number): void {
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (bad !== undefined)
    throw new TabmindError(
      'bad-request',
      `${where}: ${bad} is no token id of a vocabulary of ${vocabSize}.`,
      {
        remedy: "Use ids that this model's tokenizer gives.",
        details: { id: bad, vocabSize },
      },
    );
}
