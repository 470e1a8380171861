import { describe, expect, it } from 'vitest';
import {
  changesLogits,
  checkSamplingParams,
  GREEDY,
  MAX_BAD_WORD_TOKENS,
  MAX_BAD_WORDS,
  MAX_LOGIT_BIASES,
  MAX_STOP_IDS,
  MAX_TOP_LOGPROBS,
  type SamplingParams,
} from '../../src/engine/sampling-params';
import { packControls } from '../../src/kernels/adjust';
import { MAX_CONTROL_WORDS, MAX_TOP } from '../../src/kernels/step-state';
import { samplingParams, type TokenRequest } from '../../src/llm/generation-defaults';

const entries = (count: number) => Array.from({ length: count }, (_, id): [number, number] => [id, 1]);

describe('checkSamplingParams', () => {
  it.each<[string, Partial<SamplingParams>]>([
    ['temperature', { temperature: Number.NaN }],
    ['top_k', { topK: 1.5 }],
    ['top_p', { topP: 0 }],
    ['min_p', { minP: -0.1 }],
    ['repetition_penalty', { repetitionPenalty: 0 }],
    ['frequency_penalty', { frequencyPenalty: 2.1 }],
    ['presence_penalty', { presencePenalty: Number.NaN }],
    ['logit_bias', { logitBias: new Map(entries(MAX_LOGIT_BIASES + 1)) }],
    ['logit_bias of token 3', { logitBias: new Map([[3, 101]]) }],
    ['logit_bias of token NaN', { logitBias: new Map([[Number.NaN, 1]]) }],
    ['bad_words', { badWords: Array(MAX_BAD_WORDS + 1).fill([1]) }],
    ['bad_words', { badWords: [Array(MAX_BAD_WORD_TOKENS + 1).fill(1)] }],
    ['bad_words', { badWords: [[]] }],
    ['bad_words', { badWords: [[1, -2]] }],
    ['max_tokens', { maxTokens: 0 }],
    ['min_tokens', { minTokens: 257 }],
    ['min_tokens', { minTokens: -1 }],
    ['stop_token_ids', { stopTokenIds: Array(MAX_STOP_IDS + 1).fill(1) }],
    ['top_logprobs', { topLogprobs: 21 }],
    ['seed', { seed: 2 ** 32 }],
    // What a page without type checks may send.
    ['speculative', { speculative: 'often' as 'auto' }],
  ])('refuses %s out of range', (name, change) => {
    expect(() => checkSamplingParams({ ...GREEDY, ...change })).toThrow(
      expect.objectContaining({ code: 'bad-request', message: expect.stringContaining(`${name} is`) }),
    );
  });

  it('takes all at their limits, and these fit the step state', () => {
    const words = Array.from({ length: MAX_BAD_WORDS }, (_, id) => [1000 + id]);
    const long = Array<number>(MAX_BAD_WORD_TOKENS).fill(7);
    for (const badWords of [words, [long], words.map(() => [1, 2, 3, 4])]) {
      const params = {
        ...GREEDY,
        frequencyPenalty: -2,
        presencePenalty: 2,
        logitBias: new Map(entries(MAX_LOGIT_BIASES)),
        badWords,
        minTokens: 256,
        stopTokenIds: Array<number>(MAX_STOP_IDS).fill(5),
        topLogprobs: MAX_TOP_LOGPROBS,
      };
      expect(checkSamplingParams(params)).toBe(params);
      // Bad words of one id are biases; models have up to about twenty end ids of their own.
      const single = badWords
        .filter(({ length }) => length === 1)
        .map(([id = 0]): [number, number] => [id, -100]);
      const { words: packed } = packControls({
        biases: new Map([...params.logitBias, ...single]),
        endIds: [...params.stopTokenIds, ...Array<number>(20).fill(2)],
        phrases: badWords.filter(({ length }) => length > 1),
      });
      expect(packed.length).toBeLessThanOrEqual(MAX_CONTROL_WORDS);
    }
    expect(MAX_TOP).toBe(MAX_TOP_LOGPROBS);
  });

  it('knows what leaves the logits as they are', () => {
    expect(changesLogits({ ...GREEDY, temperature: 1, topK: 5, topP: 0.5, minP: 0.1, topLogprobs: 3 })).toBe(
      false,
    );
    const changes: readonly Partial<SamplingParams>[] = [
      { repetitionPenalty: 1.1 },
      { frequencyPenalty: 0.1 },
      { presencePenalty: -0.1 },
      { logitBias: new Map([[1, 0.5]]) },
      { badWords: [[1, 2]] },
      { minTokens: 1 },
    ];
    for (const change of changes) expect(changesLogits({ ...GREEDY, ...change })).toBe(true);
  });
});

describe('packControls', () => {
  it('lays out biases, end ids, heads and ids of phrases', () => {
    const { words, counts } = packControls({
      biases: new Map([[9, -100]]),
      endIds: [4, 5],
      phrases: [
        [1, 2],
        [1, 2, 3],
      ],
    });
    expect([...words]).toEqual([9, 0xc2c80000, 4, 5, 2, 2 * 1024 + 3, 1, 2, 1, 2, 3]);
    expect(Object.values(counts)).toEqual([1, 2, 2]);
  });

  it('refuses what has no room', () => {
    const endIds = Array<number>(MAX_CONTROL_WORDS + 1).fill(0);
    expect(() => packControls({ biases: new Map(), endIds, phrases: [] })).toThrow('control words');
  });
});

describe('samplingParams', () => {
  const defaults = {
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    minNewTokens: 5,
    maxNewTokens: null,
  };
  const context = { defaults, roomTokens: 50, vocabSize: 100, badWords: [[1, 2]] };

  it('takes over what a request asks for', () => {
    const request: TokenRequest = {
      frequency_penalty: 0.5,
      presence_penalty: -1,
      logit_bias: { 7: -100, 8: 3.5 },
      stop_token_ids: [3],
      min_tokens: 2,
      logprobs: true,
      top_logprobs: 4,
      speculative: 'off',
    };
    expect(samplingParams(request, context)).toMatchObject({
      frequencyPenalty: 0.5,
      presencePenalty: -1,
      logitBias: new Map([
        [7, -100],
        [8, 3.5],
      ]),
      stopTokenIds: [3],
      minTokens: 2,
      badWords: [[1, 2]],
      topLogprobs: 4,
      speculative: 'off',
    });
    expect(samplingParams({ logprobs: true }, context)).toMatchObject({ topLogprobs: 0, minTokens: 5 });
    // The model's own least length must not make a shorter request a wrong one.
    expect(samplingParams({ max_tokens: 3 }, context)).toMatchObject({ topLogprobs: null, minTokens: 3 });
  });

  it.each<TokenRequest>([
    { logit_bias: { 100: 1 } },
    { logit_bias: { the: 1 } },
    { stop_token_ids: [-1] },
    { top_logprobs: 2 },
    { logprobs: false, top_logprobs: 0 },
  ])('refuses %j', (request) => {
    expect(() => samplingParams(request, context)).toThrow(expect.objectContaining({ code: 'bad-request' }));
  });
});
