import { TabmindError } from '../errors';

/** How the next token of one sequence is chosen. Applied in this order: repetition penalty → temperature → top-k → top-p → min-p. */
export interface SamplingParams {
  /** 0 = greedy (arg max after the penalty, lowest id wins a tie). */
  readonly temperature: number;
  /** Keep the k most probable; 0 = off. */
  readonly topK: number;
  /** Keep the smallest set whose probability reaches p; 1 = off. */
  readonly topP: number;
  /** Drop tokens below p × the most probable one; 0 = off. */
  readonly minP: number;
  /** > 0; 1 = off. Logits of tokens seen in prompt or completion are divided (positive) or multiplied (negative). */
  readonly repetitionPenalty: number;
  /** u32. */
  readonly seed: number;
  readonly maxTokens: number;
  readonly stopTokenIds: readonly number[];
  readonly ignoreEos: boolean;
}

export const GREEDY: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0,
  maxTokens: 256,
  stopTokenIds: [],
  ignoreEos: false,
};

/** Throws `bad-request` naming the first parameter out of range. */
export function checkSamplingParams(params: SamplingParams): SamplingParams {
  const rules: readonly [string, number, boolean, string][] = [
    ['temperature', params.temperature, params.temperature >= 0 && params.temperature <= 100, '0 to 100'],
    ['top_k', params.topK, Number.isInteger(params.topK) && params.topK >= 0, 'a whole number, 0 or more'],
    ['top_p', params.topP, params.topP > 0 && params.topP <= 1, 'above 0, at most 1'],
    ['min_p', params.minP, params.minP >= 0 && params.minP <= 1, '0 to 1'],
    [
      'repetition_penalty',
      params.repetitionPenalty,
      params.repetitionPenalty > 0 && params.repetitionPenalty <= 100,
      'above 0, at most 100',
    ],
    [
      'max_tokens',
      params.maxTokens,
      Number.isInteger(params.maxTokens) && params.maxTokens >= 1,
      'a whole number, 1 or more',
    ],
    [
      'seed',
      params.seed,
      Number.isInteger(params.seed) && params.seed >= 0 && params.seed < 2 ** 32,
      'a u32',
    ],
  ];
  for (const [name, value, valid, range] of rules) {
    if (!valid)
      throw new TabmindError('bad-request', `${name} is ${value}; it must be ${range}.`, {
        remedy: 'Change this setting and send again.',
        details: { name, value },
      });
  }
  return params;
}
