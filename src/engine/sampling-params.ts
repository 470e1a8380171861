import { TabmindError } from '../errors';

/**
 * How the next token of one sequence is chosen. Applied in this order: repetition, frequency and presence penalty → logit
 * bias and bad words → least length → temperature → top-k → top-p → min-p.
 */
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
  /** −2 to 2, times the occurrences in the completion, subtracted from a token's logit; 0 = off. */
  readonly frequencyPenalty: number;
  /** −2 to 2, subtracted from the logits of tokens that occur in the completion; 0 = off. */
  readonly presencePenalty: number;
  /** Token id → −100 to 100, added to its logit; −100 bans the token. At most MAX_LOGIT_BIASES. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Token ids that must not follow each other, in the prompt's end and the completion: the last is banned behind the others. */
  readonly badWords: readonly (readonly number[])[];
  /** Before so many tokens of the completion, no token that would end it is sampled; 0 = off. */
  readonly minTokens: number;
  /** Most probable tokens that are reported with the logprob of each sampled one; null = no logprobs. */
  readonly topLogprobs: number | null;
  /** 'auto': where it pays, tokens that stood behind the same words before are tried several at once. Same tokens, sooner. */
  readonly speculative: (typeof SPECULATIVE)[number];
  /** u32. */
  readonly seed: number;
  readonly maxTokens: number;
  readonly stopTokenIds: readonly number[];
  readonly ignoreEos: boolean;
}

const SPECULATIVE = ['auto', 'always', 'off'] as const;

/** OpenAI's limit. */
export const MAX_LOGIT_BIASES = 300;
export const MAX_BAD_WORDS = 128;
/** Of all bad words together, in tokens. */
export const MAX_BAD_WORD_TOKENS = 512;
export const MAX_STOP_IDS = 64;
export const MAX_TOP_LOGPROBS = 20;

export const GREEDY: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
  badWords: [],
  minTokens: 0,
  topLogprobs: null,
  speculative: 'off',
  seed: 0,
  maxTokens: 256,
  stopTokenIds: [],
  ignoreEos: false,
};

/** Whether the logits are more than read: penalties, biases, bans. */
export function changesLogits(params: SamplingParams): boolean {
  return (
    params.repetitionPenalty !== 1 ||
    params.frequencyPenalty !== 0 ||
    params.presencePenalty !== 0 ||
    params.logitBias.size > 0 ||
    params.badWords.length > 0 ||
    params.minTokens > 0
  );
}

/** Name, value, whether the value will do, and what would. */
type Rule = readonly [string, string | number, boolean, string];

/** Throws `bad-request` naming the first parameter out of range. */
export function checkSamplingParams(params: SamplingParams): SamplingParams {
  for (const [name, value, isValid, range] of [...numberRules(params), ...listRules(params)]) {
    if (!isValid)
      throw new TabmindError('bad-request', `${name} is ${value}; it must be ${range}.`, {
        remedy: 'Change this setting and send again.',
        details: { name, value },
      });
  }
  return params;
}

function numberRules(params: SamplingParams): readonly Rule[] {
  const number = (name: string, value: number, min: number, max: number): Rule => [
    name,
    value,
    value >= min && value <= max,
    `${min} to ${max}`,
  ];
  const { repetitionPenalty, topP, maxTokens, minTokens, topLogprobs, seed } = params;
  return [
    number('temperature', params.temperature, 0, 100),
    ['top_k', params.topK, isCount(params.topK), 'a whole number, 0 or more'],
    ['top_p', topP, topP > 0 && topP <= 1, 'above 0, at most 1'],
    number('min_p', params.minP, 0, 1),
    [
      'repetition_penalty',
      repetitionPenalty,
      repetitionPenalty > 0 && repetitionPenalty <= 100,
      'above 0, at most 100',
    ],
    number('frequency_penalty', params.frequencyPenalty, -2, 2),
    number('presence_penalty', params.presencePenalty, -2, 2),
    ['max_tokens', maxTokens, isCount(maxTokens) && maxTokens >= 1, 'a whole number, 1 or more'],
    [
      'min_tokens',
      minTokens,
      isCount(minTokens) && minTokens <= maxTokens,
      'a whole number, 0 to max_tokens',
    ],
    [
      'top_logprobs',
      topLogprobs ?? 0,
      topLogprobs === null || (isCount(topLogprobs) && topLogprobs <= MAX_TOP_LOGPROBS),
      `a whole number, 0 to ${MAX_TOP_LOGPROBS}`,
    ],
    ['seed', seed, isId(seed), 'a u32'],
  ];
}

function listRules({ logitBias, badWords, stopTokenIds, speculative }: SamplingParams): readonly Rule[] {
  const numWordTokens = badWords.reduce((sum, ids) => sum + ids.length, 0);
  const emptyOrWrong = badWords.some((ids) => ids.length === 0 || !ids.every(isId));
  return [
    [
      'logit_bias',
      `${logitBias.size} entries`,
      logitBias.size <= MAX_LOGIT_BIASES,
      `at most ${MAX_LOGIT_BIASES} entries`,
    ],
    ...[...logitBias].map(
      ([id, bias]): Rule => [
        `logit_bias of token ${id}`,
        bias,
        isId(id) && bias >= -100 && bias <= 100,
        '-100 to 100, for a token id',
      ],
    ),
    [
      'bad_words',
      `${badWords.length} words of ${numWordTokens} tokens`,
      badWords.length <= MAX_BAD_WORDS && numWordTokens <= MAX_BAD_WORD_TOKENS,
      `at most ${MAX_BAD_WORDS} words of ${MAX_BAD_WORD_TOKENS} tokens together`,
    ],
    ['bad_words', JSON.stringify(badWords), !emptyOrWrong, 'words of one token id or more each'],
    [
      'stop_token_ids',
      JSON.stringify(stopTokenIds),
      stopTokenIds.length <= MAX_STOP_IDS && stopTokenIds.every(isId),
      `at most ${MAX_STOP_IDS} token ids`,
    ],
    ['speculative', speculative, SPECULATIVE.includes(speculative), SPECULATIVE.join(', ')],
  ];
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

function isId(value: number): boolean {
  return isCount(value) && value < 2 ** 32;
}
